"""The project's own tools, which are not in the wheel."""
