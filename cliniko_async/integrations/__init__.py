"""Adapters for other libraries. Each module needs its extra, and the core imports none of them."""
