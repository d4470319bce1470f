"""Writes docs/scenarios.md: which test holds which scenario of the protocol.

Why this file exists: the reference numbers 116 scenarios; a test belongs to one by the number in
its name (`test_027_...`, `test_074_076_...`, `test_053_to_058_...`). The table is read from those
names, so it cannot tell of a test that is not there. It must not run any test.

    python tools/scenario_table.py          writes the file
    python tools/scenario_table.py --check  ends with 1 when it is stale or a scenario has no test
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "scenarios.md"
COUNT = 116
#: Scenarios that the reference marks (E): they need a real Envoy.
WITH_ENVOY = frozenset(
    {
        *(1, 2, 3, 4, 5, 8, 13, 14, 15, 16, 21, 23, 24, 25, 26, 27, 29, 44, 45, 46, 47, 53, 54, 56),
        *(59, 61, 64, 69, 70, 71, 72, 73, 74, 75, 76, 80, 83, 87, 94, 101, 104, 105),
    }
)
COLUMNS = ("transcript (both dialects)", "gRPC as AgentGateway", "real Envoy", "one part alone")
_FOLDERS = {"scenarios": 0, "gateway": 1, "envoy": 2}
_NUMBERS = re.compile(r"test_(\d{3})(?:_to_(\d{3}))?((?:_\d{3})*)(?:_|$)")


@dataclass(frozen=True, slots=True)
class Held:
    """One test that holds scenarios; `fails` is why it is expected to fail somewhere."""

    path: str
    name: str
    numbers: frozenset[int]
    fails: str


def numbers_of(name: str) -> frozenset[int]:
    """Scenario numbers in a test's name."""
    found = _NUMBERS.match(name)
    if found is None:
        return frozenset()
    first, last, more = found.groups()
    span = range(int(first), int(last or first) + 1)
    return frozenset({*span, *(int(number) for number in more.split("_") if number)})


def _reasons(tree: ast.AST) -> dict[str, str]:
    """The reason of each xfail mark that a module gives a name to."""
    named = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named[node.targets[0].id] = _reason(node.value, {})
    return named


def _reason(node: ast.expr, named: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return named.get(node.id, "")
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.xfail":
        values = {keyword.arg: keyword.value for keyword in node.keywords}
        return str(ast.literal_eval(values["reason"])) if "reason" in values else ""
    return ""


def collect(root: Path = ROOT) -> list[Held]:
    """Every numbered test below tests/, in the order of path and line."""
    held = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        named = _reasons(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if numbers := numbers_of(node.name):
                marks = (_reason(mark, named) for mark in node.decorator_list)
                fails = "; ".join(filter(None, marks))
                held.append(Held(str(path.relative_to(root)), node.name, numbers, fails))
    return held


def missing(held: list[Held]) -> list[str]:
    """What has no test: scenario numbers, and those that need a real Envoy and lack one."""
    everywhere = {number for test in held for number in test.numbers}
    on_envoy = {n for test in held if _column(test) == 2 for n in test.numbers}
    problems = [f"scenario {n} has no test" for n in range(1, COUNT + 1) if n not in everywhere]
    problems += [f"scenario {n} has no test with a real Envoy" for n in WITH_ENVOY - on_envoy]
    problems += [f"there is no scenario {n}" for n in everywhere if not 1 <= n <= COUNT]
    return problems


def _column(test: Held) -> int:
    return _FOLDERS.get(test.path.split("/")[1], 3)


def render(held: list[Held]) -> str:
    """The file's text."""
    cells: dict[tuple[int, int], list[str]] = defaultdict(list)
    for test in held:
        for number in test.numbers:
            cells[number, _column(test)].append(_cell(test))
    lines = [
        "# Scenarios of the protocol, and the tests that hold them",
        "",
        "Written by `tools/scenario_table.py` from the tests' names. E: wants a real",
        "Envoy. The transcripts run in both gateways' dialects. AgentGateway's column is a model",
        "that follows what the program was seen to do (tests/agentgateway.py).",
        "",
        "| | E | " + " | ".join(COLUMNS) + " |",
        "|---|---|---|---|---|---|",
    ]
    for number in range(1, COUNT + 1):
        row = ["<br>".join(cells[number, column]) for column in range(len(COLUMNS))]
        lines.append(f"| {number} | {'E' if number in WITH_ENVOY else ''} | {' | '.join(row)} |")
    return "\n".join([*lines, ""])


def _cell(test: Held) -> str:
    short = re.sub(r"^test_[\d_]*(?:to_\d{3}_)?", "", test.name).replace("_", " ")
    link = f"[{short}](../{test.path})"
    return f"{link} (fails: {test.fails})" if test.fails else link


def main() -> int:
    """Exit status: 0 when all is well, 1 with the problems on stderr."""
    held = collect()
    problems = missing(held)
    text = render(held)
    if "--check" in sys.argv[1:]:
        if not TABLE.exists() or TABLE.read_text() != text:
            problems.append(f"{TABLE.relative_to(ROOT)} is stale: python tools/scenario_table.py")
    else:
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(text)
    for problem in problems:
        print(problem, file=sys.stderr)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
