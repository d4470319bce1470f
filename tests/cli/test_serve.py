from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from srd.cli import main

GOOD = "version: v0.3\nrouting: {modelCards: [{name: m}]}\n"


def run(tmp_path: Path, text: str, *arguments: str):
    file = tmp_path / "router.yaml"
    file.write_text(text)
    return CliRunner().invoke(main, ["serve", "--config", str(file), *arguments]), file


@pytest.mark.parametrize("option", ["--listen", "--admin", "--metrics"])
@pytest.mark.parametrize("address", ["localhost", "localhost:port", "127.0.0.1:70000"])
def test_what_is_no_address_is_refused_before_anything_starts(tmp_path, option, address) -> None:
    done, _ = run(tmp_path, GOOD, option, address)
    assert done.exit_code == 2
    assert f"'{option}'" in done.stderr
    assert f"{address!r} is not host:port" in done.stderr


def test_a_bad_document_is_refused_with_file_and_line(tmp_path) -> None:
    done, file = run(tmp_path, GOOD + "global: {router: {strategy: prio}}\n")
    assert done.exit_code == 1
    assert f'{file}:3: global.router.strategy: "prio" is not known here' in done.stderr
