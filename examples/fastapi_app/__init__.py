"""An example of a backend: it reads, writes and streams records, and runs a job in the background."""
