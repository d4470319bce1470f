from __future__ import annotations

import json

from click.testing import CliRunner

import srd
from srd.cli.version import version


def test_json_names_the_libraries_that_matter() -> None:
    told = json.loads(CliRunner().invoke(version, ["--json"]).output)
    assert told["version"] == srd.__version__
    assert {"grpclib", "numpy", "tokenizers"} <= told["libraries"].keys()


def test_text_begins_with_the_version() -> None:
    output = CliRunner().invoke(version).output
    assert output.startswith(f"srd {srd.__version__}\n")
