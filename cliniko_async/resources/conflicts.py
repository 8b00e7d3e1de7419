"""Conflicts: whether a booking overlaps with others."""

from .._record import Part, Record, record


@record
class ConflictsFound(Part):
    """Whether there are any."""

    exist: bool | None = None


@record
class Conflicts(Record):
    """Whether a booking overlaps with others of its practitioner."""

    conflicts: ConflictsFound
