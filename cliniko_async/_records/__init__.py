"""Records: attrs classes, and their way from and to JSON."""
