"""Uploads and downloads: file sources, the multipart form and the file store."""
