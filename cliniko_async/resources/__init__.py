"""One file for each resource: its record, the fields that can be sent, its filters and its operations."""
