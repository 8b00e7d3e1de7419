"""One call, from method to bytes: the session, one attempt, retries, the rate limit."""
