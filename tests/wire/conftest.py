"""Fixtures of the wire tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL_SCHEMA = Path(__file__).resolve().parents[2] / ".cache" / "xds"
"""Envoy's compiled schema (xds-protos), installed apart: it overwrites files of other packages."""


class Oracle:
    """Asks the process of oracle.py what bytes mean; None when they do not parse."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("oracle.py"))],
            env={**os.environ, "PYTHONPATH": str(FULL_SCHEMA)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        greeting = json.loads(self._line())
        self.full_missing: str = greeting["full"]
        self.mismatches: list[str] = greeting["mismatches"]

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def ask(self, schema: str, kind: str, data: bytes) -> dict[str, Any] | None:
        assert self._process.stdin is not None
        order = {"schema": schema, "kind": kind, "data": data.hex()}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] | None = json.loads(self._line())
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """Google's protobuf with our schema and, where it is installed, with Envoy's."""
    process = Oracle()
    yield process
    process.close()


@pytest.fixture(params=["slim", "full"])
def schema(request: pytest.FixtureRequest, oracle: Oracle) -> str:
    """Each schema in turn; "full" is skipped where it is not installed."""
    if request.param == "full" and oracle.full_missing:
        pytest.skip(f"Envoy's schema is not in {FULL_SCHEMA}: {oracle.full_missing}")
    return str(request.param)
