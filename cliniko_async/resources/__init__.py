"""One file a resource: its record, what may be sent, what may be asked for, and what it can do."""
