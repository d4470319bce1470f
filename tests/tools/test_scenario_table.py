"""The table of scenarios is complete and as the tests are."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "tools" / "scenario_table.py"


@pytest.fixture(scope="module")
def table():
    spec = importlib.util.spec_from_file_location("scenario_table", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_scenario_has_a_test_and_those_of_envoy_one_with_envoy(table):
    assert table.missing(table.collect()) == []


def test_the_written_table_is_that_of_the_tests(table):
    assert table.TABLE.read_text() == table.render(table.collect())


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("test_027_a_longer_name", {27}),
        ("test_074_076_streamed", {74, 76}),
        ("test_053_to_058_a_refusal", {53, 54, 55, 56, 57, 58}),
        ("test_plain", set()),
        ("test_404_is_said", {404}),
    ],
)
def test_a_tests_name_tells_its_scenarios(table, name, numbers):
    assert table.numbers_of(name) == numbers


def test_what_has_no_test_is_told(table, tmp_path):
    folder = tmp_path / "tests" / "scenarios"
    folder.mkdir(parents=True)
    (folder / "test_x.py").write_text("def test_001_to_115_all(): ...\ndef test_117_more(): ...\n")
    problems = table.missing(table.collect(tmp_path))
    assert "scenario 116 has no test" in problems
    assert "scenario 1 has no test" not in problems
    assert "scenario 1 has no test with a real Envoy" in problems
    assert "there is no scenario 117" in problems


def test_an_expected_failure_is_told_with_its_reason(table, tmp_path):
    folder = tmp_path / "tests" / "envoy"
    folder.mkdir(parents=True)
    (folder / "test_x.py").write_text(
        "old = pytest.mark.xfail(reason='too old')\n\n@old\ndef test_104_two(): ...\n"
    )
    assert "(fails: too old)" in table.render(table.collect(tmp_path))
