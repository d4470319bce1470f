"""Scenario 105: the releases that `make test-envoy-versions` runs all of this directory with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stage import MATH, VERSION, routed

pytestmark = pytest.mark.envoy

MAKEFILE = (Path(__file__).parents[2] / "Makefile").read_text()
SWEPT = re.search(r"^ENVOY_VERSIONS \?= (.*)$", MAKEFILE, re.MULTILINE)


def test_105_the_envoy_under_test_is_one_of_the_sweep(stage, tap, upload):
    assert SWEPT is not None
    swept = SWEPT[1].split()
    assert [version.rpartition(".")[0] for version in swept] == [
        "1.36", "1.37", "1.38", "1.39", "1.40",
    ]  # fmt: skip
    assert ".".join(map(str, VERSION)) in swept
    assert upload(stage, "duplex", length=len(MATH)).send(MATH).status() == 200
    assert tap.last.body == routed(MATH)
