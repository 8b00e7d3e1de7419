"""The shape of the project: which module may import which, and how long anything may be."""

import ast
import importlib
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple, TypeGuard

from tests.support.paths import ROOT

NAME = "cliniko_async"
FILES = sorted((ROOT / NAME).rglob("*.py"))

LAYERS = (
    {
        "_backoff",
        "_compat",
        "_dates",
        "_durable",
        "_file_lock",
        "_frames",
        "_lazy",
        "_loops",
        "_registry",
        "_spelling",
        "_timeouts",
    },
    {"_messages"},
    {"_error_body", "_field_rules", "_reveal", "links"},
    {"_redis", "errors"},
    {"_checks"},
    {"filters"},
    {"fields"},
    {"cursors", "limits"},
    {"observers"},
    {"_api"},
    {"_records"},
    {"_csv", "_paging", "rows"},
    {"pagination"},
    {"changes"},
    {"_watching"},
    {"watch"},
    {"_http"},
    {"_files"},
    {"_client_view"},
    {"resources"},
    {"bulk", "client"},
    {"_pool", "_webhooks"},
    {"export", "pool", "webhooks"},
    {""},
    {"__main__", "cli", "integrations", "sandbox"},
)
RANKS = {top_level: rank for rank, layer in enumerate(LAYERS) for top_level in layer}
OUTSIDE = LAYERS[-1]
OWN_ALIASES = {"sandbox"}
SANDBOX_FOLDERS = ("protocol", "db", "seed", "api", "server")
"""The folders of the sandbox, each of which may import those before it."""

# Who imports upwards inside a function, when the caller asks for what lies there.
LATE: set[tuple[str, str]] = {("export._parquet", "integrations.arrow"), ("_field_rules", "_records.pydantic")}

MUTABLE = ("attrs.define", "msgspec.Struct")
"""What a class is decorated with, or derived from, whose fields can be assigned unless it is frozen."""
# Classes with more than ten attributes that change, each with the reason.
LARGE_CLASSES = {"Attempt": "a value without behaviour, which the layers of a call fill in as it proceeds"}


class Import(NamedTuple):
    source: str
    target: str
    name: str  # what was imported from the target, or nothing
    late: bool


def module_of(path: Path) -> str:
    """The dotted name below the package; the package itself is the empty name."""
    parts = path.relative_to(ROOT / NAME).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def top_level(module: str) -> str:
    return module.partition(".")[0]


def is_upwards(found: Import) -> bool:
    return RANKS[top_level(found.target)] > RANKS[top_level(found.source)]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def run_time_nodes(node: ast.AST, *, late: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node that runs, and whether only when a function is called."""
    for child in node.orelse if is_type_checking(node) else ast.iter_child_nodes(node):
        yield child, late
        yield from run_time_nodes(child, late=late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def absolute(source: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = [NAME, *source.split(".")] if source else [NAME]
    depth = node.level if MODULES[source].name != "__init__.py" else node.level - 1
    return ".".join([*package[: len(package) - depth], *filter(None, [node.module])])


def from_target(source: str, node: ast.ImportFrom) -> Iterator[tuple[str, str]]:
    base = absolute(source, node)
    if base != NAME and not base.startswith(NAME + "."):
        return
    target = base[len(NAME) + 1 :]
    for alias in node.names:
        submodule = ".".join(filter(None, [target, alias.name]))
        yield (submodule, "") if submodule in MODULES else (target, alias.name)


def targets(source: str, node: ast.AST) -> Iterator[tuple[str, str]]:
    """The modules of the package that one statement imports, each with the name taken from it."""
    if isinstance(node, ast.ImportFrom):
        yield from from_target(source, node)
    elif isinstance(node, ast.Import):
        names = (alias.name for alias in node.names)
        yield from ((name[len(NAME) + 1 :], "") for name in names if name == NAME or name.startswith(NAME + "."))


def imports_of(source: str) -> list[Import]:
    tree = ast.parse(MODULES[source].read_text(encoding="utf-8"))
    return [
        Import(source, target, name, late)
        for node, late in run_time_nodes(tree)
        for target, name in targets(source, node)
    ]


IMPORTS = [found for source in MODULES for found in imports_of(source)]
INNER = [found for found in IMPORTS if top_level(found.source) not in OUTSIDE]


def public_names() -> list[str]:
    return list(getattr(importlib.import_module(NAME), "__all__", []))


def test_every_module_has_a_layer():
    assert {top_level(module) for module in MODULES} <= RANKS.keys()


def test_imports_run_one_way_through_the_layers():
    assert [found for found in INNER if is_upwards(found) and not found.late] == []


def test_only_the_listed_modules_import_upwards_inside_a_function():
    assert {(found.source, found.target) for found in INNER if found.late and is_upwards(found)} == LATE


def test_no_modules_import_each_other():
    graph: dict[str, set[str]] = {}
    for found in IMPORTS:
        if not found.late and found.source:
            graph.setdefault(found.source, set()).add(found.target)
    list(TopologicalSorter(graph).static_order())


def test_no_resource_imports_another():
    """Code that several tables share is in a private module that imports none of them."""
    beside = [found for found in IMPORTS if top_level(found.source) == top_level(found.target) == "resources"]
    assert [found for found in beside if not found.target.startswith("resources._")] == []


def test_the_top_layer_uses_the_public_surface():
    """It may import public names and modules, the listed helpers, and modules of its own part.

    The command line may also import the sandbox and the integrations.
    """
    beside = {
        "__main__": {"cli"},
        "cli": {"_csv", "_loops", "_spelling", "export", "filters", "integrations", "sandbox"},
        "integrations": {"_checks", "_file_lock", "_loops", "_spelling", "rows"},
    }
    names = public_names()
    strangers = [
        found
        for found in IMPORTS
        if top_level(found.source) in OUTSIDE
        and top_level(found.target)
        not in {
            top_level(found.source),
            "_backoff",
            "_compat",
            "_dates",
            "_frames",
            "bulk",
            "cursors",
            "fields",
            "observers",
            "rows",
            "webhooks",
        }
        and top_level(found.target) not in beside.get(top_level(found.source), set())
        and found.target not in {"resources._names", "resources._registry"}
        and not (found.target == "" and found.name in {*names, "__version__"})
    ]
    assert strangers == []


def test_the_folders_of_the_sandbox_import_one_way():
    def folder(module: str) -> str:
        return module.removeprefix("sandbox.").partition(".")[0]

    ranks = {name: rank for rank, name in enumerate(SANDBOX_FOLDERS)}
    inside = [found for found in IMPORTS if top_level(found.source) == top_level(found.target) == "sandbox"]
    known = [found for found in inside if folder(found.source) in ranks]
    assert known
    assert [found for found in known if ranks.get(folder(found.target), len(ranks)) > ranks[folder(found.source)]] == []


def class_names(module: str) -> Iterator[str]:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    return (node.name.lstrip("_") for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def alias_names(module: str) -> Iterator[str]:
    for node in ast.parse(MODULES[module].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            yield ast.unparse(node.target).lstrip("_")
        elif isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call):  # As a TypeVar is.
            names = (ast.unparse(target).lstrip("_") for target in node.targets)
            yield from (name for name in names if re.fullmatch(r"[A-Z]\w*[a-z]\w*", name))


def test_the_name_of_a_type_means_one_thing():
    """A class in the whole package, and an alias outside of the folders whose aliases are their own."""
    others = [module for module in MODULES if top_level(module) not in OWN_ALIASES]
    assert repeated(name for module in MODULES for name in class_names(module)) == set()
    assert repeated(name for module in others for name in (*class_names(module), *alias_names(module))) == set()


def repeated(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def test_the_public_names_are_sorted_and_there():
    package = importlib.import_module(NAME)
    names = public_names()
    assert bool(names) == ("" in MODULES)
    assert names == sorted(set(names))
    assert [name for name in names if not hasattr(package, name)] == []


def test_every_name_that_the_package_imports_is_public():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for module, path in MODULES.items() if not module]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    imported = {alias.asname or alias.name for node in nodes for alias in node.names}
    assert {name for name in imported if not name.startswith("_")} <= set(public_names())


def test_files_and_functions_keep_their_length():
    """A file has at most 500 lines, a function at most 40, without its docstring, which is as long as it must be."""
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
    functions = [
        (path, node)
        for path, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lengths = [
        (path, node.name, lines(node) - (lines(node.body[0]) if ast.get_docstring(node) else 0))
        for path, node in functions
    ]
    assert {path: length for path, text in texts.items() if (length := len(text.splitlines())) > 500} == {}
    assert [found for found in lengths if found[-1] > 40] == []


def lines(node: ast.stmt) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_a_class_has_at_most_ten_attributes_that_change():
    """Attributes that belong together become a class; a frozen class may have more, because its state never changes."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in FILES)
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    large = {node.name: found for node in classes if len(found := changing_attributes(node)) > 10}
    assert large.keys() == LARGE_CLASSES.keys(), large


def changing_attributes(node: ast.ClassDef) -> set[str]:
    """The attributes that methods assign to their first argument, and the fields of a class that is not frozen."""
    written: set[str] = set()
    for method in node.body:
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and method.args.args:
            first = method.args.args[0].arg
            written |= {each.attr for each in ast.walk(method) if is_assigned_to(each, first)}
    markers = {ast.unparse(each) for each in (*node.decorator_list, *node.bases, *node.keywords)}
    is_mutable = "frozen=True" not in markers and any(text.startswith(MUTABLE) for text in markers)
    fields = {ast.unparse(each.target) for each in node.body if isinstance(each, ast.AnnAssign)}
    return written | fields if is_mutable else written


def is_assigned_to(node: ast.AST, name: str) -> TypeGuard[ast.Attribute]:
    """Whether a node is an attribute of a variable, in a place where it is assigned."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Store):
        return False
    return isinstance(node.value, ast.Name) and node.value.id == name


def project_files() -> list[Path]:
    """The files under version control and those about to be; without git, whatever is there."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout
    except (OSError, subprocess.CalledProcessError):
        return [path for path in ROOT.rglob("*") if not path.relative_to(ROOT).parts[0].startswith(".")]
    return [ROOT / name for name in listed.split("\0") if name]


def test_no_file_names_a_machine_or_a_registry():
    """Nothing in the project depends on where it was made."""
    # Written so that this file does not match the pattern.
    forbidden = re.compile(rb"""["' (=]/(work|farm|root)/|python[h]osted|py[p]i\.org/simple|registry\.[n]pm""")
    files = [path for path in project_files() if path.is_file()]
    assert [str(path.relative_to(ROOT)) for path in files if forbidden.search(path.read_bytes())] == []
