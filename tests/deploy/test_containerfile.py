"""The Containerfile, as far as it can be judged without building it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import srd
from srd.cli.healthcheck import healthcheck
from srd.cli.serve import serve

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Containerfile").read_text()


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([hadolint, str(ROOT / "Containerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_runs_as_nobody_in_particular_and_reports_to_nobody() -> None:
    assert "USER 65532:65532" in TEXT
    assert "ORT_DISABLE_TELEMETRY=1" in TEXT
    assert f"VERSION={srd.__version__}" in TEXT


def test_the_default_command_is_one_that_srd_takes(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.touch()
    (words,) = re.findall(r"^CMD (\[.*\])$", TEXT, re.MULTILINE)
    verb, *args = json.loads(words)
    assert verb == "serve"
    serve.make_context("srd", [arg.replace("/etc/srd/config.yaml", str(config)) for arg in args])
    (probe,) = re.findall(r"HEALTHCHECK .* CMD (\[.*\])", TEXT)
    healthcheck.make_context("srd", json.loads(probe)[2:])


def test_every_file_that_is_copied_passes_the_ignore_list() -> None:
    allowed = (ROOT / ".containerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--)(.*) \S+$", TEXT, re.MULTILINE):
        for source in line.split():
            assert f"!{source}" in allowed
