"""A client that openapi-python-client generates, from a document that is written here of the library's own tables."""

import datetime as dt
import importlib
import json
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import attrs

from cliniko_async import AppointmentType, Link, ListLink
from cliniko_async.links import SelfLink

from .data import ENVELOPE

_PACKAGE = "generated_client"
_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    Decimal: {"type": "string"},
    dt.datetime: {"type": "string", "format": "date-time"},
    SelfLink: {"type": "object", "properties": {"self": {"type": "string"}}, "required": ["self"]},
}


@contextmanager
def generated_client() -> Iterator[types.ModuleType]:
    """Generate the client into a temporary folder and give its package."""
    with TemporaryDirectory() as folder:
        document, config = Path(folder, "openapi.json"), Path(folder, "config.json")
        document.write_text(json.dumps(_document()))
        config.write_text('{"post_hooks": []}')
        command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
        command += ["--path", str(document), "--config", str(config), "--output-path", str(Path(folder, _PACKAGE))]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        sys.path.insert(0, folder)
        try:
            importlib.invalidate_caches()
            yield importlib.import_module(_PACKAGE)
        finally:
            sys.path.remove(folder)


def page_model() -> type[Any]:
    """Return the generated model of a page; its `from_dict` reads one."""
    model: type[Any] = importlib.import_module(f"{_PACKAGE}.models").AppointmentTypePage
    return model


def list_operation() -> Any:  # noqa: ANN401
    """Return the generated module of the operation that lists."""
    return importlib.import_module(f"{_PACKAGE}.api.default.list_appointment_types")


def open_client(base_url: str) -> Any:  # noqa: ANN401
    """Return the generated client of a server."""
    return importlib.import_module(_PACKAGE).Client(base_url=base_url)


def _document() -> dict[str, Any]:
    parameters = [{"name": name, "in": "query", "schema": {"type": "integer"}} for name in ("page", "per_page")]
    page = {"application/json": {"schema": {"$ref": "#/components/schemas/AppointmentTypePage"}}}
    operation = {
        "operationId": "listAppointmentTypes",
        "parameters": parameters,
        "responses": {"200": {"description": "A page", "content": page}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Generated", "version": "1"},
        "paths": {f"/{ENVELOPE}": {"get": operation}},
        "components": {"schemas": _schemas()},
    }


def _schemas() -> dict[str, Any]:
    record = {"$ref": "#/components/schemas/AppointmentType"}
    links = {"type": "object", "properties": {"self": {"type": "string"}, "next": _or_null({"type": "string"})}}
    hints = get_type_hints(AppointmentType, include_extras=True)
    fields = attrs.fields(AppointmentType)
    return {
        "Links": _SCALARS[SelfLink],
        "Linked": _object({"links": {"$ref": "#/components/schemas/Links"}}, ["links"]),
        "AppointmentType": _object(
            {field.name: _schema(hints[field.name]) for field in fields},
            [field.name for field in fields if field.default is attrs.NOTHING],
        ),
        "AppointmentTypePage": _object(
            {ENVELOPE: {"type": "array", "items": record}, "total_entries": {"type": "integer"}, "links": links},
            [ENVELOPE, "total_entries", "links"],
        ),
    }


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def _schema(hint: Any) -> dict[str, Any]:  # noqa: ANN401
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        if arguments[0] in (Link, ListLink):
            return {"$ref": "#/components/schemas/Linked"}
        return _schema(arguments[0])
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _schema(arguments[0])}
    if type(None) in arguments:
        return _or_null(*(_schema(one) for one in arguments if one is not type(None)))
    if hint is SelfLink:
        return {"$ref": "#/components/schemas/Links"}
    return _SCALARS[hint]


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [schema, {"type": "null"}]}
