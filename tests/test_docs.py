"""The documents are correct: their code runs, the tests they name exist, and generated pages are current."""

import ast
import asyncio
import contextlib
import datetime as dt
import inspect
import re
import sqlite3
import time
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import CodeType
from typing import Any

import attrs
import pytest
from redis.asyncio import Redis

import cliniko_async.errors
from cliniko_async import Cliniko, LimiterUnavailableError, RedisLimiter, SlidingWindowLimiter
from cliniko_async.resources._registry import RESOURCES
from cliniko_async.sandbox import Sandbox
from tests.support import virtual
from tests.support.clients import WHO
from tests.support.for_each import for_each
from tests.support.paths import ROOT
from tests.test_layers import LAYERS
from tools import docs

SHOWN = (
    "README.md",
    "docs/guide.md",
    "docs/lists.md",
    "docs/records.md",
    "docs/writing.md",
    "docs/files.md",
    "docs/changes.md",
    "docs/errors.md",
    "docs/rate-limit.md",
    "docs/many-accounts.md",
    "docs/network.md",
    "docs/testing.md",
    "docs/sandbox.md",
    "docs/sandbox-faults.md",
    "docs/migrate.md",
    "docs/scaling.md",
    "docs/observability.md",
    "docs/fastapi.md",
    "docs/export.md",
    "docs/analyse.md",
    "docs/notebooks.md",
    "docs/react-to-changes.md",
    "docs/sync.md",
    "docs/import.md",
)
PROMISING = (ROOT / "docs" / "guarantees.md", ROOT / "SECURITY.md")
BLOCK = re.compile(r"^```python(?P<mark>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@attrs.frozen
class Block:
    """A block of Python in a document, and its line."""

    page: str
    line: int
    code: str
    runs: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line + 1}"


def blocks() -> list[Block]:
    """All blocks except those marked `{.no-run}`, which need more than a sandbox."""
    found: list[Block] = []
    for page in SHOWN:
        path = ROOT / page
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("code"))
            found.append(Block(page, line, match["code"], match["mark"].strip() != "{.no-run}"))
    return found


class OnTheSandbox(ast.NodeTransformer):
    """Sends every client that a document makes to the sandbox, as a document shows a real key and a real server."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if ast.unparse(node.func) == "Cliniko" and "base_url" not in {each.arg for each in node.keywords}:
            node.args = [ast.parse("sandbox.api_key", mode="eval").body]
            node.keywords.append(ast.keyword("base_url", ast.parse("sandbox.base_url", mode="eval").body))
        return node


def compiled(block: Block) -> CodeType:
    # The lines of a traceback are those of the document.
    tree = OnTheSandbox().visit(ast.parse("\n" * block.line + block.code, block.page))
    code: CodeType = compile(ast.fix_missing_locations(tree), block.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return code


async def play(block: Block, names: dict[str, Any]) -> None:
    """Run a block, in a thread if it starts its own event loop."""
    code = compiled(block)
    if code.co_flags & inspect.CO_COROUTINE:
        await eval(code, names)
    else:
        await asyncio.to_thread(eval, code, names)
    for test in [names[name] for name in names if name.startswith("test_")]:
        given = {each: names[each] for each in inspect.signature(test).parameters}
        # A synchronous test may wait for the sandbox, which is served by this loop.
        await (test(**given) if inspect.iscoroutinefunction(test) else asyncio.to_thread(test, **given))


@asynccontextmanager
async def taken_for_granted(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Any]]:
    """The names that a document does not explain again: a sandbox, and an open client of it."""
    clock = asyncio.get_running_loop().time
    limiter, begun = SlidingWindowLimiter(clock=clock), time.time() - clock()
    async with Sandbox(clock=clock, wall=lambda: begun + clock()) as sandbox:
        options = {"base_url": sandbox.base_url, "app_name": "Docs", "contact_email": "docs@example.com"}
        for name, value in {**options, "api_key": sandbox.api_key}.items():
            monkeypatch.setenv(f"CLINIKO_{name.upper()}", value)
        monkeypatch.setenv("CLINIKO_WEBHOOK_SECRET", "whsec_" + "c2VjcmV0" * 5)
        monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        monkeypatch.setenv("DLT_DATA_DIR", "dlt")
        async with Cliniko(sandbox.api_key, rate_limiter=limiter, **options) as cliniko:
            names = {"cliniko": cliniko, "types": cliniko.appointment_types}
            yield {
                "sandbox": sandbox,
                "cliniko_sandbox": sandbox,
                "monkeypatch": monkeypatch,
                "__name__": "shown",
                **names,
            }


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_the_code_in_the_documents_runs(block: Block, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        async with taken_for_granted(monkeypatch) as names:
            await play(block, names)

    if block.runs:
        virtual.run(main())
    else:
        compiled(block)


def test_the_page_on_writing_looks_for_what_a_broken_connection_left_open(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (block,) = (each for each in blocks() if each.page == "docs/writing.md" and "OutcomeUnknown" in each.code)

    async def main() -> None:
        async with taken_for_granted(monkeypatch) as names:
            names["sandbox"].faults.drop("answer", method="POST")
            await play(block, names)

    virtual.run(main())
    assert capsys.readouterr().out == "True\n"


def test_the_web_backend_of_the_page_answers(monkeypatch: pytest.MonkeyPatch, cliniko_sandbox: Sandbox):
    from fastapi.testclient import TestClient

    block = next(each for each in blocks() if "FastAPI(" in each.code)
    for name in ("api_key", "base_url"):
        monkeypatch.setenv(f"CLINIKO_{name.upper()}", getattr(cliniko_sandbox, name))
    for name, value in WHO.items():
        monkeypatch.setenv(f"CLINIKO_{name.upper()}", value)
    names: dict[str, Any] = {"__name__": "shown"}
    exec(compiled(block), names)
    kind = cliniko_sandbox.all("appointment_types")[0]
    with TestClient(names["app"]) as http:
        assert http.get(f"/appointment-types/{kind['id']}").json()["name"] == kind["name"]
        assert http.get("/appointment-types/1").status_code == 404
        assert http.post("/appointment-types", json={"name": "x" * 300}).status_code == 422
        assert len(http.get("/patients.ndjson").text.splitlines()) > 1


def test_the_statements_for_a_store_of_ones_own_fence_a_run_that_was_taken_over():
    text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    create, begin, save = (each for each in text.partition("```sql")[2].partition("```")[0].split(";") if each.strip())
    key = {"account": "north", "stream": "patients"}
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute(create)
        begun = [database.execute(begin, key).fetchone() for _ in range(2)]
        assert begun == [(1, None), (2, None)]
        saved = [database.execute(save, {**key, "cursor": str(token), "token": token}).rowcount for token, _ in begun]
        assert saved == [0, 1]
        assert database.execute(begin, key).fetchone() == (3, "2")


def test_the_log_lines_that_the_page_shows_are_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Apart from their numbers and the server."""
    page = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| (?:DEBUG|INFO|WARNING) \| .* \| `(.*)` \|$", page, re.MULTILINE)
    caplog.set_level("DEBUG", "cliniko_async")

    async def main() -> None:
        async with taken_for_granted(monkeypatch) as names:
            patients, faults = names["cliniko"].patients, names["sandbox"].faults
            for status in (429, 503):
                faults.status(status)
                await patients.list().first()
            faults.status(503, times=5)
            await anext(aiter(patients.watch(since=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))))
        async with Redis.from_url("redis://127.0.0.1:1") as redis:
            with pytest.raises(LimiterUnavailableError):
                await RedisLimiter(redis, name="north", when_lost="fail").acquire("bulk")

    virtual.run(main())
    logged = {without_numbers(each.getMessage()) for each in caplog.records}
    assert len(shown) == 5
    assert [line for line in map(without_numbers, shown) if line not in logged] == []


def without_numbers(line: str) -> str:
    return re.sub(r"\d+(\.\d+)?", "1", re.sub(r" (GET) [\w.:]+/v1", r" \1 /v1", f" {line}"))


def promises(page: Path) -> list[tuple[str, str]]:
    return NAMED.findall(page.read_text(encoding="utf-8"))


def names_of_tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return {each.name for each in functions if each.name.startswith("test_")}


@pytest.mark.parametrize("page", PROMISING, ids=lambda page: page.name)
def test_every_promise_names_tests_that_exist(page: Path):
    there = {path: names_of_tests(ROOT / path) for path, _ in promises(page)}
    assert [(path, name) for path, name in promises(page) if name not in there[path]] == []


@pytest.mark.parametrize("page", PROMISING, ids=lambda page: page.name)
def test_every_promise_names_a_test(page: Path):
    """Every row of the tables of promises; what cannot be promised is not in a table."""
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert rows
    assert [row for row in rows if not NAMED.search(row) and "---" not in row and not row.startswith("| promise")] == []


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCE = PROJECT["urls"]["Source"] + "/blob/main/"
LINK = re.compile(rf"\]\(({re.escape(SOURCE)})?(?!https?:)([^)#\s]+)?(?:#([^)\s]+))?\)")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@for_each("page", PAGES, ids=lambda page: page.name)
def test_links_between_the_documents_lead_somewhere(page: Path):
    lost: list[str] = []
    for source, target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        base = ROOT if source else page.parent
        found = base / target if target else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            lost.append(f"{target}#{anchor}")
    assert lost == []


def test_every_public_error_has_a_section_that_says_what_to_do():
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^##+ (\w+Error)\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL))
    public = {name for name in vars(cliniko_async.errors) if name.endswith("Error") and not name.startswith("_")}
    assert sections.keys() == public | {"ExportError", "SyncError", "WebhookGoneError"}
    silent = {
        name for name, section in sections.items() if not ("**When:**" in section and "**What to do:**" in section)
    }
    assert silent == {"ClinikoError"}


def test_headings_contain_common_search_terms():
    heads = " ".join(head for page in PAGES for head in re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE))
    assert [word for word in ("rate limit", "double booking", "webhook") if word not in heads.lower()] == []


def test_every_link_of_the_readme_is_absolute_so_that_it_works_on_a_package_index():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert targets
    assert [target for target in targets if not target.startswith("https://")] == []


def test_every_page_is_in_the_navigation_of_the_site():
    def pages(entry: Any) -> Iterator[str]:
        for each in entry.values() if isinstance(entry, dict) else entry:
            if isinstance(each, str):
                yield each
            else:
                yield from pages(each)

    listed = list(pages(tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]))
    found = [str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted(found)


async def test_what_is_made_from_the_code_is_current_and_says_so_in_its_first_line():
    made = await docs.generated()
    assert docs.stale(ROOT, made) == []
    assert [page for page, text in made.items() if "Generated" not in text.partition("\n")[0]] == []


def test_the_tool_writes_what_the_check_then_finds_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert docs.main(["--check"], tmp_path) == 1
    stale = {line.partition(" is stale")[0] for line in capsys.readouterr().err.splitlines()}
    assert {"docs/reference/index.md", "docs/coverage.md", "cliniko_async/__init__.pyi"} < stale
    assert docs.main([], tmp_path) == 0
    assert docs.main(["--check"], tmp_path) == 0


def words(path: Path) -> set[str]:
    """The names and the whole texts in the code of a file, without its comments and what docstrings mention."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    imported = {node.name for node in nodes if isinstance(node, ast.alias)}
    return names | imported | {str(node.value) for node in nodes if isinstance(node, ast.Constant)}


def test_a_resource_is_registered_by_nothing_but_its_own_file():
    """A file that named its class by hand would be one more step when adding a resource."""
    made = asyncio.run(docs.generated())
    files = {path.relative_to(ROOT) for path in (ROOT / "cliniko_async").rglob("*.py")} - made.keys()
    classes = {cls for _, cls in RESOURCES.values()}
    named = {path: classes & words(ROOT / path) for path in files if path.parent.name != "resources"}
    assert {str(path): found for path, found in named.items() if found} == {}


HOW_IT_WORKS = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")


def shows(diagram: str, part: str) -> bool:
    return bool(re.search(rf"(?<!\w){part}(/|\.py\b)", diagram))


def test_how_it_works_shows_every_part_of_the_layers():
    diagram = HOW_IT_WORKS.split("```text\n")[1].split("```")[0]
    parts = set().union(*LAYERS) - {""}
    assert [part for part in sorted(parts) if not shows(diagram, part)] == []


def test_how_it_works_shows_the_layers_in_their_order():
    blocks = HOW_IT_WORKS.split("```text\n")[1].split("```")[0].split("───\n")
    ranks = {part: rank for rank, layer in enumerate(LAYERS) for part in layer - {""}}
    shown = {part: next(number for number, block in enumerate(blocks) if shows(block, part)) for part in ranks}
    pairs = [(upper, lower) for upper in shown for lower in shown if ranks[upper] > ranks[lower]]
    assert [(upper, lower) for upper, lower in pairs if shown[upper] > shown[lower]] == []


def test_every_file_named_in_how_it_works_exists():
    paths = set(re.findall(r"`([\w/]+(?:\.py|/))`", HOW_IT_WORKS))
    bases = {path.rpartition("/")[0] for path in paths if path.endswith(".py")} | {"_paging", "_files"}
    places = [ROOT, *(ROOT / "cliniko_async" / base for base in bases)]
    assert paths
    assert [path for path in sorted(paths) if not any((place / path).exists() for place in places)] == []


def test_every_name_in_how_it_works_is_defined_in_the_file_given_for_it():
    pairs = re.findall(r"`(\w+)`(?:\s\(|\sin\s)`([\w/]+\.py)`", HOW_IT_WORKS)
    defined = {path: (ROOT / "cliniko_async" / path).read_text(encoding="utf-8") for _, path in pairs}
    assert pairs
    assert [
        (name, path) for name, path in pairs if not re.search(rf"(?m)^\s*(class|(async )?def) {name}\b", defined[path])
    ] == []
