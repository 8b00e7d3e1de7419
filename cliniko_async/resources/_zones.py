"""Time zones by their names."""

from zoneinfo import ZoneInfo


def zone_of(name: str | None) -> ZoneInfo | None:
    """Return the zone of an IANA name, or None if there is no name."""
    return ZoneInfo(name) if name else None
