"""What holds for every test."""

from hypothesis import settings

# A slow machine is no failure.
settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")
