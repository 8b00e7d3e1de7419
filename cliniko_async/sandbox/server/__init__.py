"""The server of the sandbox: connections, requests, faults, the rate limit and the file store."""
