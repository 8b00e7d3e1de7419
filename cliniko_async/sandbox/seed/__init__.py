"""The invented clinic that the sandbox starts with."""
