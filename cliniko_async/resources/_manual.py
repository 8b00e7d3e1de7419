"""The parts of docstrings that all resources share.

The docstring of an operation in a resource file only describes what the operation does. Its arguments, result and
errors are added when the class of the resource is created, so that `help` shows all of them on every resource. A
docstring that already has an `Args` or `Returns` section is left unchanged.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, get_args, get_type_hints

from .._compat import is_typeddict
from ..fields import describe_fields
from ._list_options import VISIBILITIES

_VISIBILITY = '{}: "exclude", the default, leaves {} records out, "include" adds them, "only" selects them.'
_OPTIONS = {
    "sort": (
        'sort: A column of `where`, such as `where.name` or `where.name.desc()`, its name ("name", "name:desc"), or\n'
        "    a list of these. None, the default, for the order of `created_at`."
    ),
    "per_page": "per_page: Records in one response, 1 to 100; 100 by default.",
    "limit": "limit: The number of records to stop after; None, the default, for all.",
    "prefetch": "prefetch: Pages to request before they are needed; 0 by default. That many are held in memory.",
    "stable": (
        "stable: If True, read in the order of ids, so that every record that matches during the whole iteration is\n"
        "    yielded exactly once. Needs a list that can be filtered by id; excludes `sort`. False by default."
    ),
    "cursor": (
        "cursor: The `cursor` of an iterator, a page or an error, to continue there with the same arguments. None,\n"
        "    the default, starts at the beginning."
    ),
    **{name: _VISIBILITY.format(name, name) for name in VISIBILITIES},
}
"""What each option of a list or a `get` does."""

_FILTERS = (
    "*filters: Conditions made with `where`, such as `where.updated_at >= since`, or strings such as\n"
    '    "category:=Osteo". A record must match all of them.'
)

_LIST = """Returns:
    A `Paginator`. Use `async for` to read records, its `pages()` to read pages, or `await` it for the first page. No
    request is sent before that.

Raises:
    InvalidRequestError: A filter, an option or an id is invalid; nothing was sent. The errors of the API and of the
        network are raised while iterating.
    TypeError: An option does not exist.
    ResponseError: The API refused a request: `UnauthorizedError`, `ForbiddenError`, `NotFoundError` or another.
    TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try again.
    DecodingError: A record does not fit its class. `page` has the records that do, `cursor` continues after them.
    PaginationError: The pages contradict one another; `PaginationDriftError` if the list changed meanwhile."""

_GET = """Returns:
    The record.

Raises:
    InvalidRequestError: An argument is invalid; nothing was sent.
    NotFoundError: The record does not exist, or is archived or deleted and the options exclude it.
    ResponseError: The API refused the request for another reason.
    TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try again.
    DecodingError: The record does not fit its class."""

_CREATE = """Returns:
    The record as the API created it.

Raises:
    InvalidFieldsError: Fields are invalid, each listed in `faults`; nothing was sent.
    UnprocessableError: The API refused fields, listed in `errors`; nothing was created.
    ResponseError: The API refused the request for another reason.
    OutcomeUnknownError: The record may or may not have been created. Look for it before you create it again.
    TransportError: No usable response arrived, and nothing was created. It is safe to try again.
    DecodingError: The record was created, but the response does not fit its class."""

_UPDATE = """Returns:
    The record as it is after the update.

Raises:
    InvalidRequestError: The id is invalid; nothing was sent.
    InvalidFieldsError: Fields are invalid, each listed in `faults`; nothing was sent.
    NotFoundError: The record does not exist, or is archived or deleted.
    UnprocessableError: The API refused fields, listed in `errors`; nothing was changed.
    ResponseError: The API refused the request for another reason.
    TransportError: No usable response arrived. It is safe to try again.
    DecodingError: The record was updated, but the response does not fit its class."""

_CANCEL = """Raises:
    InvalidRequestError: The id is invalid; nothing was sent.
    InvalidFieldsError: Fields are invalid, each listed in `faults`; nothing was sent.
    NotFoundError: The record does not exist, or is archived or deleted.
    UnprocessableError: The API refused fields, listed in `errors`; nothing was changed.
    ResponseError: The API refused the request for another reason.
    OutcomeUnknownError: The cancellation may or may not have happened. Look before you send it again.
    TransportError: No usable response arrived, and nothing was cancelled. It is safe to try again."""

_ENDINGS = {"get": _GET, "create": _CREATE, "update": _UPDATE, "cancel": _CANCEL}


def complete(method: Callable[..., Any], record: type) -> None:
    """Add the parts that operations of different resources share to a docstring.

    Args:
        method: An operation of a resource.
        record: The class of the resource's records.
    """
    name = method.__name__
    ending = _LIST if name.partition("_")[0] == "list" else _ENDINGS.get(name)
    summary = inspect.cleandoc(method.__doc__ or "")
    if ending is None or re.search(r"^(Args|Returns):$", summary, re.MULTILINE):
        return
    deprecated = getattr(method, "__deprecated__", None)
    arguments = "\n".join(line for each in _arguments(method, record) for line in _indented(each))
    notes = [f"Deprecated: {deprecated}."] if deprecated else []
    method.__doc__ = "\n\n".join([summary, *notes, f"Args:\n{arguments}", ending])


def _indented(entry: str) -> Iterator[str]:
    return (f"    {line}" for line in entry.splitlines())


def _arguments(method: Callable[..., Any], record: type) -> Iterator[str]:
    """Return an entry for each argument, and for each option or field that can be given."""
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            yield _FILTERS
        elif parameter.kind is parameter.VAR_KEYWORD:
            (known,) = get_args(parameter.annotation)
            is_body = parameter.name == "fields"
            yield from document_fields(known) if is_body else map(_OPTIONS.__getitem__, known.__annotations__)
        else:
            words = words_of(record.__name__) if parameter.name == "id" else parameter.name[:-3].replace("_", " ")
            yield f"{parameter.name}: The id of the {words}."


@cache
def document_fields(fields_type: Any) -> tuple[str, ...]:
    """Add fields and their rules to the docstring of a TypedDict, and to those of the TypedDicts within it.

    Args:
        fields_type: A subclass of `Fields`.

    Returns:
        A line for each field.
    """
    described = tuple(f"{name}: {text[0].upper()}{text[1:]}." for name, text in describe_fields(fields_type).items())
    listed = "\n".join(f"    {line}" for line in described)
    fields_type.__doc__ = f"{inspect.cleandoc(fields_type.__doc__ or '')}\n\nArgs:\n{listed}"
    for hint in get_type_hints(fields_type, include_extras=True).values():
        for nested in _typed_dicts(hint):
            document_fields(nested)
    return described


def _typed_dicts(hint: Any) -> Iterator[Any]:
    if is_typeddict(hint):
        yield hint
    for argument in get_args(hint):
        yield from _typed_dicts(argument)


def words_of(class_name: str) -> str:
    """Return the words of a class name.

    Args:
        class_name: The name, such as `AppointmentType`.

    Returns:
        The words in lower case, such as "appointment type".
    """
    return re.sub(r"(?<!^)(?=[A-Z])", " ", class_name).lower()
