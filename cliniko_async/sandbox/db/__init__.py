"""The records of the sandbox: the tables, the rows in a database in memory, filters and pages."""
