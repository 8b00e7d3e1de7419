"""The HTTP layer: the session, single attempts, retries and the rate limit."""
