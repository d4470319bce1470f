from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from srd.cli import main
from srd.cli.man import man, pages


def test_every_command_has_a_page_with_its_options() -> None:
    found = pages(main)
    assert {"srd", "srd-serve", "srd-check", "srd-healthcheck"} <= found.keys()
    assert "\\-\\-tls\\-client\\-ca" in found["srd-serve"]
    assert "Exit status" in found["srd-check"]


def test_the_pages_are_written(tmp_path: Path) -> None:
    assert CliRunner().invoke(man, [str(tmp_path / "man1")]).exit_code == 0
    assert (tmp_path / "man1" / "srd-serve.1").read_text().startswith('.TH "SRD\\-SERVE" 1')


def test_groff_finds_nothing_to_warn_of() -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("no groff")
    for name, text in pages(main).items():
        command = [groff, "-man", "-Tutf8", "-wall", "-z"]
        done = subprocess.run(command, input=text, text=True, capture_output=True)
        assert done.stderr == "", name
