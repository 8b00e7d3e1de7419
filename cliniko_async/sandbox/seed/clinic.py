"""Fills the tables of a sandbox with the invented clinic, the same for the same seed and the same week."""

import atexit
import random
from typing import TypeAlias

import attrs

from ..db.database import Database
from ..db.row_store import IdState, RowStore
from .calendar import draft_calendar
from .configuration import configure
from .documents import draft_documents
from .drafts import Drafts, current_monday
from .invoices import draft_invoices
from .patients import MIN_PATIENTS, draft_more_patients, draft_patients
from .timeline import Timeline

AttachmentFiles: TypeAlias = dict[int, int]
"""The number of the file of each attachment, by its id."""

_MAX_CACHED = 4
_MAX_CACHED_SIZE = 1000
"""The number of appointment types and patients up to which a clinic is cached."""


@attrs.frozen
class _CachedClinic:
    """A clinic that was invented before, to be copied."""

    database: Database
    id_state: IdState
    files: AttachmentFiles


_cache: dict[object, _CachedClinic] = {}


def seed_clinic(store: RowStore, seed: int, appointment_types: int, patients: int) -> AttachmentFiles:
    """Fill the empty tables of a store, and return the files of its attachments."""
    key = (seed, appointment_types, patients, current_monday(store.now()), store.id_state)
    cached = _cache.get(key)
    if cached is not None:
        cached.database.copy_to(store.database)
        store.id_state = cached.id_state
        return cached.files
    files = _invent(store, seed, appointment_types, patients)
    if appointment_types + patients <= _MAX_CACHED_SIZE:
        _keep(key, store, files)
    return files


def _invent(store: RowStore, seed: int, appointment_types: int, patients: int) -> AttachmentFiles:
    timeline = Timeline(store, random.Random(f"clinic {seed}"))
    configure(timeline, appointment_types)
    drafts = Drafts(timeline, random.Random(f"practice {seed}"), current_monday(store.now()))
    draft_patients(drafts)
    draft_calendar(drafts)
    draft_invoices(drafts)
    attachments = draft_documents(drafts)
    drafts.insert()
    # Drafted apart, so that the number of patients changes nothing else.
    more = Drafts(timeline, random.Random(f"more patients {seed}"), drafts.today)
    draft_more_patients(more, patients - MIN_PATIENTS)
    more.insert()
    return {attachment["id"]: number for number, attachment in attachments.items()}


def _keep(key: object, store: RowStore, files: AttachmentFiles) -> None:
    database = Database({})
    store.database.copy_to(database)
    if len(_cache) >= _MAX_CACHED:
        _clear_cache()
    _cache[key] = _CachedClinic(database, store.id_state, files)


@atexit.register
def _clear_cache() -> None:
    while _cache:
        _, cached = _cache.popitem()
        cached.database.close()
