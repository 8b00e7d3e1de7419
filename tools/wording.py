"""Types and rules in words, for the tables of the reference."""

import datetime as dt
import types
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Never, Required, Union, get_args, get_origin, get_type_hints

import attrs

from cliniko_async._compat import is_typeddict
from cliniko_async.fields import DecimalText, Deprecated, Digits, Rule, Zoned
from cliniko_async.links import Link, ListLink

_FEW = 20


def code(text: object) -> str:
    """Return a text as inline code."""
    return f"`` {text} ``" if "`" in str(text) else f"`{text}`"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    lines = [list(heads), ["---"] * len(heads), *rows]
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]


def alternatives(hint: object) -> list[object]:
    """Return the members of a union, without None."""
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return [each for each in members if each is not types.NoneType]


def may_be_none(hint: object) -> bool:
    """Return whether None is one of the members of a type."""
    members = get_args(hint)[:1] if get_origin(hint) is Annotated else ()
    return types.NoneType in get_args(hint) or any(map(may_be_none, members))


def is_deprecated(hint: object) -> bool:
    """Return whether a field that can be sent is marked as deprecated."""
    return any(isinstance(note, Deprecated) for note in get_args(hint))


def in_words(hint: object, pages: dict[str, str]) -> str:
    """Return the type of a field in words, without None; a link includes its target."""
    return " or ".join(dict.fromkeys(_one(each, pages) for each in alternatives(hint)))


def _one(hint: object, pages: dict[str, str]) -> str:
    arguments = get_args(hint)
    if get_origin(hint) is Required:
        return in_words(arguments[0], pages)
    if get_origin(hint) is Annotated:
        return _annotated(arguments, pages)
    if get_origin(hint) in (tuple, Sequence):
        kind = "tuple" if get_origin(hint) is tuple else "list"
        return f"{kind} of {in_words(arguments[0], pages)}"
    if get_origin(hint) is Literal:
        return _literal(arguments)
    return code(hint if arguments else getattr(hint, "__name__", hint))


def _annotated(arguments: tuple[Any, ...], pages: dict[str, str]) -> str:
    base, *rules = arguments
    if base in (Link, ListLink):
        return f"{code(base.__name__)} to {_target(rules[0], pages)}"
    if any(isinstance(rule, Digits) for rule in rules):
        return "id"
    decimals = any(isinstance(rule, DecimalText) for rule in rules)
    kind = f"{code(Decimal.__name__)} or `int`" if decimals else in_words(base, pages)
    limits = [rule.text for rule in rules if isinstance(rule, Rule) and not isinstance(rule, Zoned | Deprecated)]
    return ", ".join(filter(None, [kind, *limits]))


def _target(target: object, pages: dict[str, str]) -> str:
    if target is Never:
        return "a record that no operation returns"
    names = str(target).split(" | ")
    return " or ".join(f"[{name}]({pages[name]})" if name in pages else code(name) for name in names)


def _literal(values: tuple[Any, ...]) -> str:
    if len(values) == 1:
        return code(_value(values[0]))
    if len(values) <= _FEW:
        return "one of " + ", ".join(code(_value(value)) for value in values)
    return f"one of {len(values)} names, from {code(_value(values[0]))} to {code(_value(values[-1]))}"


def _value(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def parts_of(hints: Iterable[object]) -> dict[str, type]:
    """Return the parts of records and the nested TypedDicts within types, at any depth, by name."""
    found: dict[str, type] = {}
    for hint in hints:
        for kind in _classes(hint):
            if kind.__name__ not in found:
                found[kind.__name__] = kind
                found |= parts_of(get_type_hints(kind, include_extras=True).values())
    return found


def _classes(hint: object) -> Iterator[type]:
    if isinstance(hint, type) and hint not in (Link, ListLink, dt.date) and (attrs.has(hint) or is_typeddict(hint)):
        yield hint
    for argument in get_args(hint):
        yield from _classes(argument)
