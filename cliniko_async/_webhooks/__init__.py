"""What a sender of webhooks is made of: messages, attempts to post them, and the file of those it gave up."""
