"""The rows of the sandbox: tables, columns, filters and pages."""
