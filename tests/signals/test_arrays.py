from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from srd.signals import arrays

ROOT = Path(__file__).parents[2]


def test_a_name_of_numpys_is_numpys() -> None:
    assert arrays.flatnonzero is numpy.flatnonzero
    assert arrays.flatnonzero is numpy.flatnonzero  # the second time without asking
    assert arrays.linalg.norm is numpy.linalg.norm


@pytest.mark.parametrize("name", ["no_such_name", "__wrapped__"])
def test_another_name_is_no_attribute(name: str) -> None:
    assert not hasattr(arrays, name)


def test_reading_a_document_loads_no_numpy() -> None:
    script = (
        "import sys, srd.cli.check, srd.config\n"
        "srd.config.load('charts/srd/files/default.yaml')\n"
        "print(*(m for m in ('numpy', 'onnxruntime', 'py3langid', 'h2') if m in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == ("", "")
