"""Which room may know which: the arrows of DESIGN.md and CONTRIBUTING.md, read from the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = tuple(
    path for path in sorted((ROOT / "srd").rglob("*.py")) if "_pb" not in path.parts
)  # the generated messages know only each other

#: Which rooms a room imports when it runs. All of it: an arrow that nobody uses is struck.
ARROWS: Mapping[str, frozenset[str]] = {
    "wire": frozenset(),
    "classify": frozenset(),
    "config": frozenset({"signals"}),
    "signals": frozenset({"classify", "config"}),
    "evidence": frozenset({"config"}),
    "body": frozenset({"evidence", "signals"}),
    "decide": frozenset({"body", "config", "evidence", "signals"}),
    "plugins": frozenset({"body", "config", "decide", "evidence", "signals"}),
    "exchange": frozenset(
        {"body", "classify", "config", "decide", "evidence", "plugins", "signals"}
    ),
    "telemetry": frozenset({"decide", "evidence", "exchange", "plugins"}),
    "backend": frozenset({"body"}),
    "daemon": frozenset(
        {"backend", "classify", "config", "exchange", "plugins", "signals", "telemetry", "wire"}
    ),
    "demo": frozenset({"backend"}),
    "cli": frozenset(
        {"backend", "classify", "config", "daemon", "decide", "demo", "exchange", "plugins"}
        | {"evidence", "signals", "telemetry", "wire"}
    ),
}
#: Rooms that a room names in annotations alone.
ANNOTATED: Mapping[str, frozenset[str]] = {
    "classify": frozenset({"config"}),
    "decide": frozenset({"classify"}),
    "evidence": frozenset({"signals"}),
    "telemetry": frozenset({"config", "daemon"}),
}
#: The one pair that knows each other: the document is made of the structs of the signal types, and
#: these of the document's vocabulary. No module of theirs may be in a circle, though.
PAIR = frozenset({"config", "signals"})

PURE = ("exchange", "plugins", "decide", "body", "evidence", "signals")
#: What a pure room may not import, wherever in the file: time, threads, processes, sockets, files.
IMPURE = frozenset(
    {"asyncio", "concurrent", "contextvars", "datetime", "time", "sched", "signal", "random"}
    | {"threading", "_thread", "queue", "multiprocessing", "subprocess", "os", "pathlib"}
    | {"shutil", "tempfile", "glob", "fcntl", "logging", "socket", "socketserver", "select"}
    | {"selectors", "ssl", "http", "urllib3", "secrets", "uuid"}
    | {"grpclib", "h2", "grpc", "httpx", "uvloop", "onnxruntime", "tokenizers", "prometheus_client"}
)


@dataclass(frozen=True, slots=True)
class Import:
    """`annotated`: for a type checker alone. `deferred`: in a function."""

    module: str
    target: str
    annotated: bool = False
    deferred: bool = False


def name_of(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = frozenset(map(name_of, SOURCES))


def room_of(module: str) -> str:
    """ "wire" of "srd.wire.codec", "" of what is not srd's or stands in no room."""
    head, _, rest = module.partition(".")
    return rest.partition(".")[0] if head == "srd" else ""


def imports_of(module: str, text: str) -> list[Import]:
    """What a module imports; of `from package import name` the submodule where it is one."""
    return list(_walk(module, ast.parse(text), annotated=False, deferred=False))


def _walk(module: str, node: ast.AST, *, annotated: bool, deferred: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for target in _targets(child):
                yield Import(module, target, annotated, deferred)
        elif isinstance(child, ast.If) and _asks_for_checker(child.test):
            for part in child.body:
                yield from _walk(module, ast.Module([part], []), annotated=True, deferred=deferred)
            for part in child.orelse:
                yield from _walk(
                    module, ast.Module([part], []), annotated=annotated, deferred=deferred
                )
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(module, child, annotated=annotated, deferred=deferred or inside)


def _targets(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert node.level == 0, "imports are absolute"
    package = node.module or ""
    for name in dict.fromkeys(alias.name for alias in node.names):
        inner = f"{package}.{name}"
        yield inner if inner in MODULES else package


def _asks_for_checker(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    return [found for path in SOURCES for found in imports_of(name_of(path), path.read_text())]


def arrows(imports: list[Import], *, annotated: bool) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for one in imports:
        here, there = room_of(one.module), room_of(one.target)
        if one.annotated is annotated and here and there and here != there:
            found[here].add(there)
    return found


def test_every_room_has_its_arrows_listed() -> None:
    rooms = {path.name for path in (ROOT / "srd").iterdir() if (path / "__init__.py").is_file()}
    assert rooms == set(ARROWS)


def test_a_room_imports_the_rooms_of_its_list_and_no_other(imports: list[Import]) -> None:
    found = arrows(imports, annotated=False)
    assert {room: found.get(room, set()) for room in ARROWS} == ARROWS


def test_annotations_name_no_room_that_is_not_listed(imports: list[Import]) -> None:
    named = arrows(imports, annotated=True)
    more = {room: there - ARROWS[room] for room, there in named.items() if there - ARROWS[room]}
    assert more == ANNOTATED


def test_no_two_rooms_but_the_documents_pair_know_each_other() -> None:
    kept = {room: there - PAIR if room in PAIR else there for room, there in ARROWS.items()}
    order = tuple(TopologicalSorter(kept).static_order())  # raises CycleError
    assert set(order) == set(ARROWS)


def test_no_modules_import_each_other_in_a_circle(imports: list[Import]) -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for one in imports:
        if one.target in MODULES and not one.annotated and not one.deferred:
            graph[one.module].add(one.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize("package", [f"srd.{room}" for room in sorted(PAIR)])
def test_either_of_the_documents_pair_may_be_the_first_that_is_imported(package: str) -> None:
    """A package's own file runs before any of its modules, so the order is the same for these."""
    modules = sorted(module for module in MODULES if module.startswith(f"{package}."))
    assert modules
    script = "import importlib, sys\nfor module in sys.argv[1:]: importlib.import_module(module)"
    run = subprocess.run(
        [sys.executable, "-c", script, *modules], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_imports_no_clock_no_thread_and_no_socket(
    room: str, imports: list[Import]
) -> None:
    impure = [
        (one.module, one.target)
        for one in imports
        if room_of(one.module) == room
        and not one.annotated
        and one.target.partition(".")[0] in IMPURE
    ]
    assert impure == []


def test_pure_rooms_know_of_the_classifier_its_interface_alone(imports: list[Import]) -> None:
    known = {
        one.target
        for one in imports
        if room_of(one.module) in PURE and room_of(one.target) == "classify"
    }
    assert known == {"srd.classify.api"}


def test_the_classifiers_interface_imports_nothing_of_srd(imports: list[Import]) -> None:
    own = [one.target for one in imports if one.module == "srd.classify.api"]
    assert own
    assert [target for target in own if target.partition(".")[0] == "srd"] == []


def test_pure_rooms_do_not_load_documents(imports: list[Import]) -> None:
    loading = [
        (one.module, one.target)
        for one in imports
        if room_of(one.module) in PURE
        and one.target in ("srd.config.load", "srd.config.decode", "srd.config.environment")
    ]
    assert loading == []


def test_what_a_type_checker_reads_and_what_a_function_imports_is_told_apart() -> None:
    text = (
        "import srd.wire\n"
        "from srd.signals import keyword, nothing\n"
        "if TYPE_CHECKING:\n    from srd.daemon.app import App\n"
        "else:\n    import srd.body\n"
        "class A:\n    def f(self):\n        import srd.cli\n"
        "try:\n    import zlib\nexcept ImportError:\n    import time as clock\n"
    )
    found = imports_of("here", text)
    assert [(one.target, one.annotated, one.deferred) for one in found] == [
        ("srd.wire", False, False),
        ("srd.signals.keyword", False, False),
        ("srd.signals", False, False),
        ("srd.daemon.app", True, False),
        ("srd.body", False, False),
        ("srd.cli", False, True),
        ("zlib", False, False),
        ("time", False, False),
    ]
