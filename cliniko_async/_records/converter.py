"""The converter that every record passes through in both directions, and the public functions that use it."""

from collections.abc import Callable
from typing import Any, TypeVar

import cattrs
import msgspec

from .._frames import hides_locals
from ..errors import DecodingError
from ..links import Link, ListLink, SelfLink
from .from_json import RefusedError
from .record import is_record
from .structure import InvalidValueError, fault_text, register_structure_hooks
from .unstructure import encode, encode_sorted, register_unstructure_hooks

T = TypeVar("T")

CONVERTER = cattrs.Converter(detailed_validation=True)
"""It structures records from JSON or from a dict, and unstructures them to what `encode` writes."""

register_structure_hooks(CONVERTER)
register_unstructure_hooks(CONVERTER)


def configure_converter(converter: cattrs.Converter) -> None:
    """Let a converter of your own structure and unstructure Cliniko records and links.

    Records, and the bases `Booking`, `Communication` and `PatientAttachment`, can then be fields of your attrs classes,
    by themselves or in lists, dicts and optional fields. A record is structured from the dict that the API sends, or
    from JSON as `bytes`, and unstructured as by `to_dict`. What a record contains is read and written as the API has
    it, whatever hooks the converter has; no hook for any other type is registered. A record that does not fit raises
    the error of cattrs, for `cattrs.transform_error`, which shows no value of the record.

    Args:
        converter: The converter. Hooks that are registered later for the same classes take precedence.
    """
    converter.register_structure_hook_factory(is_record, _structure_hook)
    converter.register_unstructure_hook_factory(is_record, _unstructure_hook)
    for link in (Link, ListLink, SelfLink):
        converter.register_structure_hook(link, _structure_hook(link))
        converter.register_unstructure_hook(link, msgspec.to_builtins)


def _structure_hook(cls: Any) -> Callable[[Any, Any], Any]:
    return hides_locals(CONVERTER.get_structure_hook(cls))


def _unstructure_hook(_: Any) -> Callable[[Any], dict[str, Any]]:
    return to_dict


@hides_locals
def from_dict(cls: type[T], data: Any) -> T:
    """Return the record for the dict that the API sends for it.

    Args:
        cls: The class of the record, such as `AppointmentType`, or `Booking` for any of its variants.
        data: The dict, or JSON as `bytes`. Values may be Python's own, such as a `datetime` with a time zone.

    Returns:
        The record.

    Raises:
        DecodingError: The data does not fit; `.faults` names each field.
    """
    record, faults = try_structure(cls, data)
    if record is None:
        raise DecodingError(faults)
    return record


@hides_locals
def to_dict(record: Any) -> dict[str, Any]:
    """Return a record as the JSON-able dict that the API would send for it.

    Args:
        record: The record, or a part of one.

    Returns:
        A dict of what JSON has. `None` becomes null, but a `Link` that is `None` is left out, and in a part every
        `None` is.

    Raises:
        TypeError: A field was set to a value that JSON cannot hold.
    """
    written: dict[str, Any] = msgspec.json.decode(to_json(record))
    return written


def to_json(record: Any) -> bytes:
    """Return a record as JSON, with the keys that the API would send for it.

    Args:
        record: The record, or a part of one.

    Returns:
        JSON in UTF-8 without spaces, equal to that of `to_dict`.

    Raises:
        TypeError: A field was set to a value that JSON cannot hold.
    """
    return encode(CONVERTER.unstructure(record))


def version_content(record: Any) -> bytes:
    """Return what a record says: the same bytes for the same content."""
    return encode_sorted(CONVERTER.unstructure(record))


def try_structure(cls: type[T], value: Any, place: str = "the record") -> tuple[T | None, tuple[str, ...]]:
    """Return what the converter makes of a value, or None and the faults.

    Args:
        cls: The class to structure.
        value: JSON as bytes, or what was parsed of it.
        place: What a fault calls a record that has no id.
    """
    try:
        return CONVERTER.structure(value, cls), ()
    except RefusedError as error:
        return None, error.args
    except (cattrs.BaseValidationError, InvalidValueError) as error:
        return None, (fault_text(error, place),)
