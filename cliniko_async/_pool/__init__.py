"""What `AccountPool` is made of: connections, one account, jobs for all accounts."""
