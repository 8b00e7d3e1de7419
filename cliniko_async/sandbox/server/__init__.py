"""The HTTP servers of the sandbox: the API with its request budget and scripted faults, and the file store."""
