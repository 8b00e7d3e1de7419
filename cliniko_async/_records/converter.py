"""The converter that reads and writes all records, and the public functions that use it."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import cattrs
import msgspec

from .._frames import HiddenLocals, hides_locals
from ..errors import DecodingError
from ..links import Link, ListLink, SelfLink
from .from_json import RefusedError
from .record import is_record
from .structure import InvalidValueError, fault_text, register_structure_hooks
from .unstructure import encode, encode_lines, encode_sorted, register_unstructure_hooks

T = TypeVar("T")

CONVERTER = cattrs.Converter(detailed_validation=True)
"""Structures records from JSON or dicts, and unstructures them to values that `encode` accepts."""

register_structure_hooks(CONVERTER)
register_unstructure_hooks(CONVERTER)


def configure_converter(converter: cattrs.Converter) -> None:
    """Configure your own converter to structure and unstructure Cliniko records and links.

    Records, and the bases `Booking`, `Communication` and `PatientAttachment`, can then be fields of your attrs classes,
    directly or in lists, dicts and optional fields. A record is structured from the dict that the API sends, or
    from JSON as `bytes`, and unstructured as by `to_dict`. The contents of a record are read and written in
    the format of the API, whatever hooks the converter has; no hook for any other type is registered. An invalid record
    raises a cattrs error for `cattrs.transform_error`, which shows no value of the record.

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
        data: The dict, or JSON as `bytes`. Values may be Python objects, such as a `datetime` with a time zone.

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
    """Return a record as the JSON-compatible dict that the API would send for it.

    Args:
        record: The record, or a part of one.

    Returns:
        A dict of JSON values. `None` is kept, but a `Link` that is `None` is left out, and so is every `None` in a
        part.

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


def to_json_lines(records: Sequence[Any]) -> bytes:
    """Return a line for each record, each as by `to_json`, in less time."""
    return encode_lines([CONVERTER.unstructure(record) for record in records])


def version_content(record: Any) -> bytes:
    """Return the content of a record as bytes, the same for equal content."""
    return encode_sorted(CONVERTER.unstructure(record))


def try_structure(cls: type[T], value: Any, place: str = "the record") -> tuple[T | None, tuple[str, ...]]:
    """Return the structured value and no faults, or None and the faults.

    Args:
        cls: The class to structure.
        value: JSON as bytes, or parsed JSON.
        place: The name of the record in a fault if it has no id.
    """
    try:
        # cattrs keeps the errors of the fields in the frame that raised them: a cycle that would keep the caller alive.
        with HiddenLocals():
            return CONVERTER.structure(value, cls), ()
    except RefusedError as error:
        return None, error.args
    except (cattrs.BaseValidationError, InvalidValueError) as error:
        return None, (fault_text(error, place),)
