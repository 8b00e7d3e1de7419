"""Records: attrs classes, and their conversion from and to JSON."""
