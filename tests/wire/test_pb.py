"""The generated code is what the .proto files say."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Oracle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generator() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "protos" / "generate.py"))


def test_regenerating_changes_nothing(generator: dict[str, Any]) -> None:
    differences: Callable[[], list[str]] = generator["differences"]
    assert differences() == []


def test_a_changed_file_is_noticed(generator: dict[str, Any], tmp_path: Path) -> None:
    contents: Callable[[Path], dict[str, bytes]] = generator["contents"]
    package = tmp_path / "module.py"
    package.write_text('_COMPILER_VERSION = "0.10.1"\nfirst = 1\n')
    before = contents(tmp_path)
    package.write_text('_COMPILER_VERSION = "0.10.7"\nfirst = 1\n')
    assert contents(tmp_path) == before, "a patch release of the compiler changes nothing else"
    package.write_text('_COMPILER_VERSION = "0.10.1"\nfirst = 2\n')
    assert contents(tmp_path) != before


def test_every_field_of_ours_is_envoys_with_its_number_and_type(oracle: Oracle) -> None:
    if oracle.full_missing:
        pytest.skip(f"Envoy's schema is not installed: {oracle.full_missing}")
    assert oracle.mismatches == []
