"""The operations of the sandbox, and the rules of what may be sent."""
