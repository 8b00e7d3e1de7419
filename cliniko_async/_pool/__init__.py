"""The parts of `AccountPool`: its connections, one account, and jobs for all accounts."""
