"""The speed budgets, each measured beside its floor and its peers; nothing here is timed by the tests."""
