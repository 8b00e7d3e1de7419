"""The operations of the resources, found by calling each one and recording its request."""

import ast
import asyncio
import datetime as dt
import inspect
import re
import textwrap
import types
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal, Required, Self, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

from cliniko_async._compat import is_typeddict
from cliniko_async._files.storage import FileStore
from cliniko_async._http.attempt import TransportWrapper
from cliniko_async._messages import Request, Response, Server
from cliniko_async.errors import InvalidRequestError
from cliniko_async.fields import Id
from cliniko_async.observers import Event
from cliniko_async.resources._base import Resource
from cliniko_async.resources._list_options import VISIBILITIES, ListOptions

from .registration import Table

T = TypeVar("T")
Method = Callable[..., Any]

_BASE = "https://api.example.test/v1"
_LIST_OPTIONS = frozenset(ListOptions.__annotations__)
_FIRST_ID = 1_000_000_000_000_000_001
_PLAIN = ("list", "changes", "watch", "get", "create", "update", "archive", "unarchive")
_SAMPLES: dict[object, object] = {
    bool: True,
    int: 1,
    str: "x",
    Decimal: Decimal(1),
    dt.date: dt.date(2025, 7, 21),
    dt.datetime: dt.datetime(2025, 7, 21, tzinfo=dt.UTC),
}


@attrs.frozen
class Operation:
    """A method of a resource, and the request that it makes."""

    name: str
    signature: str
    request: tuple[str, str] | None
    """The HTTP method, and the path with the names of its ids in braces; None where it takes several requests."""
    sentence: str
    deprecated: str | None
    sends: type | None
    """The TypedDict of the fields that it sends."""
    gives: tuple[type, ...]
    """The types in its result that are not records of the resource."""

    @property
    def is_stand_in(self) -> bool:
        """Whether it is a deprecated deletion that archives instead."""
        return self.name == "delete" and self.request is not None and self.request[0] == "POST"


class _Sent(Exception):  # noqa: N818  (it carries a request out of a method, and is not an error)
    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


class _Recorder:
    """Replaces the client: instead of sending a request, it raises a `_Sent` that holds it."""

    server = Server(_BASE)
    account_digest = b"account"

    def __init__(self) -> None:
        self.unsortable: set[str] = set()

    @property
    def file_store(self) -> FileStore:
        raise NotImplementedError

    def bulk(self) -> "_Recorder":
        return self

    def emit(self, event: Event) -> None:
        raise NotImplementedError

    async def send(self, request: Request) -> Response:
        raise _Sent(request)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return asyncio.create_task(work)

    def bulk_through(self, _: TransportWrapper) -> Self:
        return self


async def every_operation(tables: Mapping[str, Table]) -> dict[str, list[Operation]]:
    """Return the operations of each resource: the common ones first, the deprecated ones last."""
    ranks = {name: rank for rank, name in enumerate(_PLAIN)}
    found: dict[str, list[Operation]] = {}
    for name, table in tables.items():
        offered = [each for method in methods(table) if (each := await _operation(table, method)) is not None]
        found[name] = sorted(offered, key=lambda one: (one.deprecated is not None, ranks.get(one.name, 99), one.name))
    return found


def record_of(table: Table) -> type:
    """Return the class of the records of a resource."""
    found: type = vars(table)["record"]
    return found


def methods(table: Table) -> Iterator[str]:
    """Yield the names of the methods of a resource that not every resource has."""
    own = (name for name in dir(table) if not name.startswith("_") and not hasattr(Resource, name))
    return (name for name in own if inspect.isfunction(getattr(table, name)))


async def _operation(table: Table, name: str) -> Operation | None:
    """Describe a method, or return None if a mixin brought it and the resource cannot use it."""
    method: Method = getattr(table, name)
    try:
        request = await _request(table, name)
    except InvalidRequestError:
        return None
    return Operation(
        name=name,
        signature=_signature(table, name),
        request=request,
        sentence=(inspect.getdoc(method) or "").partition("\n")[0],
        deprecated=_deprecation(method),
        sends=sent_by(method),
        gives=_others(table, inspect.signature(method).return_annotation),
    )


def _others(table: Table, hint: object) -> tuple[type, ...]:
    kinds = [each for each in (hint, *get_args(hint)) if isinstance(each, type) and attrs.has(each)]
    return tuple(kind for kind in kinds if kind is not record_of(table))


async def _request(table: Table, name: str) -> tuple[str, str] | None:
    """Call a method with invented ids, and replace them with their names; None if it takes more than ids."""
    method: Method = getattr(table, name)
    taken = [each for each in inspect.signature(method).parameters.values() if _is_positional(each)]
    if any(each.annotation != Id for each in taken):
        return None
    ids = {str(_FIRST_ID + n): each.name for n, each in enumerate(taken)}
    request = await _recorded(getattr(table(_Recorder()), name), list(ids), _required(method))
    path = request.url.partition("?")[0].removeprefix(_BASE)
    for value, parameter in ids.items():
        path = path.replace(value, f"{{{parameter}}}")
    return request.method, path


async def _recorded(method: Method, ids: list[str], options: dict[str, object]) -> Request:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            asked = method(*ids, **options)
            await (asked if inspect.isawaitable(asked) else anext(aiter(asked)))
        except _Sent as sent:
            return sent.request
    raise AssertionError(f"{method} sent nothing")


def _is_positional(parameter: inspect.Parameter) -> bool:
    given = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    return given and parameter.name != "self"


def _required(method: Method) -> dict[str, object]:
    """Return invented values for the required arguments that are not ids."""
    found: dict[str, object] = {}
    for each in inspect.signature(method).parameters.values():
        if each.kind is each.KEYWORD_ONLY and each.default is each.empty:
            found[each.name] = _sample(each.annotation)
        if each.kind is each.VAR_KEYWORD:
            hints = get_type_hints(_unpacked(each))
            found |= {key: _sample(hints[key]) for key in sorted(getattr(_unpacked(each), "__required_keys__", ()))}
    return found


def _sample(hint: object) -> object:
    if hint is Id:
        return "1"
    if get_origin(hint) is Required:
        return _sample(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        return _sample(get_args(hint)[0])
    return _SAMPLES[hint]


def _unpacked(parameter: inspect.Parameter) -> type:
    found: type
    (found,) = get_args(parameter.annotation)
    return found


def sent_by(method: Method) -> type | None:
    """Return the TypedDict of the fields that a method sends, or None."""
    for each in inspect.signature(method).parameters.values():
        if each.kind is each.VAR_KEYWORD and is_typeddict(fields := _unpacked(each)):
            keys = fields.__annotations__.keys()
            return None if keys & (_LIST_OPTIONS | set(VISIBILITIES)) else fields
    return None


def _signature(table: Table, name: str) -> str:
    method: Method = getattr(table, name)
    signature = inspect.signature(method)
    shown = ", ".join(part for each in signature.parameters.values() for part in _parameter(each))
    return f"{name}({shown}) -> {_result(signature.return_annotation, table)}"


def _parameter(parameter: inspect.Parameter) -> Iterator[str]:
    if parameter.kind is parameter.VAR_POSITIONAL:
        yield f"*{parameter.name}"
    elif parameter.kind is parameter.KEYWORD_ONLY or parameter.default is not parameter.empty:
        yield f"{parameter.name}="
    elif parameter.kind is parameter.VAR_KEYWORD:
        yield from _options(parameter)
    elif parameter.name != "self":
        yield parameter.name


def _options(parameter: inspect.Parameter) -> Iterator[str]:
    """Yield the options of a list or a `get`, except those of all lists and the fields of a body."""
    names = get_type_hints(_unpacked(parameter)).keys()
    is_body = not names & (_LIST_OPTIONS | set(VISIBILITIES))
    common: frozenset[str] = _LIST_OPTIONS if names >= _LIST_OPTIONS else frozenset()
    if not is_body:
        yield from (f"{name}=" for name in names if name not in common)
    if is_body or common:
        yield f"**{parameter.name}"


def _result(hint: object, table: Table) -> str:
    if get_origin(hint) is AsyncGenerator:
        return f"AsyncContextManager[{_result(get_args(hint)[0], table)}]"
    if isinstance(hint, TypeVar | str):
        return re.sub(r"\bT\b", record_of(table).__name__, str(hint).removeprefix("~"))
    if get_origin(hint) in (Union, types.UnionType):
        return " | ".join(_result(each, table) for each in get_args(hint))
    if hint in (None, types.NoneType):
        return "None"
    if get_origin(hint) is not None:
        inner = ", ".join(_result(each, table) for each in get_args(hint))
        return f"{getattr(get_origin(hint), '__name__', '')}[{inner}]"
    return str(getattr(hint, "__name__", hint))


def _deprecation(method: Method) -> str | None:
    """Return the message of `@deprecated`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(method))).body[0]
    for mark in getattr(tree, "decorator_list", []):
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "deprecated":
            return str(ast.literal_eval(mark.args[0]))
    return None
