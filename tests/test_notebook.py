"""The notebook in `examples/` runs from its first cell to its last, in a kernel as Jupyter starts it."""

import asyncio
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from cliniko_async.sandbox import Sandbox
from tests.support.clients import WHO
from tests.support.paths import ROOT

NOTEBOOK = ROOT / "examples" / "explore_a_clinic.ipynb"
LONGEST_CELL = 120


def cells() -> list[Any]:
    found: list[Any] = nbformat.read(NOTEBOOK, as_version=4).cells
    return found


def test_the_notebook_keeps_no_output_that_might_show_a_patient():
    code = [cell for cell in cells() if cell.cell_type == "code"]
    assert code
    assert [cell.source for cell in code if cell.outputs or cell.execution_count is not None] == []


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Any:
    """The notebook after a run against a sandbox."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    with Sandbox(seed=1) as sandbox:
        given = {"api_key": sandbox.api_key, "base_url": sandbox.base_url, **WHO}
        for name, value in given.items():
            monkeypatch.setenv(f"CLINIKO_{name.upper()}", value)
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        client = NotebookClient(notebook, timeout=LONGEST_CELL, resources={"metadata": {"path": str(tmp_path)}})
        asyncio.run(client.async_execute())
        yield notebook, sandbox


def shown(cell: Any) -> str:
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)


def test_every_cell_runs_and_only_reveal_shows_the_fields_of_a_record(executed):
    notebook, sandbox = executed
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    texts = [shown(cell) for cell in code]
    assert sandbox.api_key not in "".join(texts)
    assert not [cell.source for cell in code if any(output.output_type == "error" for output in cell.outputs)]
    names = [row["name"] for row in sandbox.all("appointment_types")]
    hidden, revealed = texts[1:3]
    assert hidden.startswith("AppointmentType(id=")
    assert not any(name in hidden for name in names)
    assert any(name in revealed for name in names)
    assert texts[3] == str(len(sandbox.all("individual_appointments")))
    assert "Monday" in texts[4]
