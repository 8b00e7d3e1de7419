"""The speed budgets, each measured against a floor and against peers; the tests time nothing here."""
