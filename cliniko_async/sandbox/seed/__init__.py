"""The invented clinic with which a sandbox starts."""
