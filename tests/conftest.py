"""What holds for every test."""

from hypothesis import settings

# A slow machine is no failure.
settings.register_profile("suite", deadline=None, print_blob=True)
# For a long run: pytest --hypothesis-profile soak.
settings.register_profile("soak", settings.get_profile("suite"), max_examples=20_000)
settings.load_profile("suite")
