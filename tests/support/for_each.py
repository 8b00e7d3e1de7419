"""Runs many cases of one rule in one test: all of them run, and one failure names each that breaks the rule."""

import contextlib
import functools
import inspect
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

import pytest

Test = Callable[..., Any]
Cases = Mapping[str, Any] | Iterable[Any]
Ids = Callable[[Any], object] | Iterable[str] | None
FAILURES = (Exception, BaseExceptionGroup, pytest.fail.Exception, pytest.skip.Exception)


def for_each(names: str, cases: Cases, ids: Ids = None) -> Callable[[Test], Test]:
    """Run a test once per case, as `pytest.mark.parametrize` does, but in one item.

    Each case is a separate call: above `@virtually` it has its own event loop. All cases share the fixtures, so what a
    fixture such as `caplog` collects is still there in the next case. Stacked decorators run every combination.

    Args:
        names: The arguments of the test that a case sets, separated by commas.
        cases: Their values; a tuple for several arguments. The keys of a mapping are the names of its cases.
        ids: The names of the cases, or a function that names a value.
    """
    arguments = [name.strip() for name in names.split(",")]
    named = [(name, _values(arguments, case)) for name, case in _named(cases, ids)]
    assert named, "without a case nothing is tested"

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def run(*args: Any, **kwargs: Any) -> None:
            with _Faults() as faults:
                for name, values in named:
                    with faults.of(name):
                        test(*args, **kwargs, **values)

        @functools.wraps(test)
        async def run_in_loop(*args: Any, **kwargs: Any) -> None:
            with _Faults() as faults:
                for name, values in named:
                    with faults.of(name):
                        await test(*args, **kwargs, **values)

        decorated = run_in_loop if inspect.iscoroutinefunction(test) else run
        vars(decorated)["__signature__"] = _without(inspect.signature(test), arguments)
        return decorated

    return decorate


class _Faults:
    """Collects the failures of the cases of one test, and raises all of them at the end."""

    def __init__(self) -> None:
        self.cases = 0
        self.found: list[BaseException] = []
        self.names: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.found and kind is None:
            text = f"{len(self.found)} of {self.cases} cases failed: {'; '.join(self.names)}"
            raise BaseExceptionGroup(text, self.found)

    @contextlib.contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Collect the failure of a case. A skip counts as a failure, because nobody would notice it."""
        self.cases += 1
        try:
            yield
        except FAILURES as error:
            error.add_note(f"case: {name}")
            self.found.append(error)
            self.names.append(name)


def _named(cases: Cases, ids: Ids) -> Iterable[tuple[str, Any]]:
    if isinstance(cases, Mapping):
        return cases.items()
    values = list(cases)
    if ids is None or callable(ids):
        return [(_joined(ids or _name, value), value) for value in values]
    return zip(ids, values, strict=True)


def _joined(name: Callable[[Any], object], value: Any) -> str:
    return "-".join(str(name(part)) for part in (value if isinstance(value, tuple) else (value,)))


def _name(value: Any) -> str:
    return value if isinstance(value, str) else getattr(value, "__name__", None) or reprlib.repr(value)


def _values(arguments: list[str], case: Any) -> dict[str, Any]:
    return dict(zip(arguments, case if len(arguments) > 1 else (case,), strict=True))


def _without(signature: inspect.Signature, arguments: list[str]) -> inspect.Signature:
    unknown = set(arguments) - signature.parameters.keys()
    assert not unknown, f"the test has no argument {unknown}"
    kept = [parameter for name, parameter in signature.parameters.items() if name not in arguments]
    return signature.replace(parameters=kept)
