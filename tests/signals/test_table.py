"""The table is the whole list of signal types, and a type is one module and one line of it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import srd
from srd.config.signals import Signals
from srd.signals.base import Reach
from srd.signals.table import BY_NAME, LEAF_TYPES, TABLE

PACKAGE = Path(srd.__file__).parent

TOY = '''\
"""`shout`: how many exclamation marks."""

from dataclasses import dataclass

from srd.signals.base import UNKNOWN, Evidence, Reach, Reading
from srd.signals.entry import Place, Rule, SignalType
from srd.signals.readings import is_final, yes_or_no


class ShoutRule(Rule, frozen=True, kw_only=True):
    """Loud enough."""

    marks: int = 1


@dataclass(frozen=True, slots=True)
class ShoutSignal:
    name: str
    reach: Reach
    marks: int
    type: str = "shout"
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        if not is_final(self.reach, evidence):
            return UNKNOWN
        count = evidence.text.count("!")
        return yes_or_no(count >= self.marks, 1.0, float(count), f"{count} marks")


def _check(rule: ShoutRule, place: Place) -> None:
    if rule.marks > 100:
        place.problems.error(place.at("marks"), "nobody shouts that loud")


ENTRY = SignalType(
    name="shout",
    section="shouts",
    rule=ShoutRule,
    scope="full",
    check=_check,
    compile=lambda rule, making: ShoutSignal(rule.name, making.reach, rule.marks),
    header="shouts",
    score_header="x-vsr-shout-count",
)
'''

WITNESS = Path(__file__).with_name("toy_witness.py")


def run(root: Path, *arguments: str) -> str:
    """What a fresh interpreter prints that finds the package in `root`."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_signal_type_is_one_file_and_one_line(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "_model")
    shutil.copytree(PACKAGE, tmp_path / "srd", ignore=ignored)
    (tmp_path / "srd" / "signals" / "shout.py").write_text(TOY)
    table = tmp_path / "srd" / "signals" / "table.py"
    text = table.read_text()
    line = '    __import__("srd.signals.shout", fromlist=["ENTRY"]).ENTRY,\n'
    table.write_text(text.replace("    keyword.ENTRY,\n", "    keyword.ENTRY,\n" + line))
    assert json.loads(run(tmp_path, str(WITNESS))) == {
        "rules": [2],
        "checked": ["routing.signals.shouts[0].marks: nobody shouts that loud"],
        "misnamed": [
            "routing.decisions[0].rules.conditions[0].name: "
            'there is no shout rule "rag" (did you mean "rage"?)'
        ],
        "scope": "full",
        "early": ["shout:rage"],
        "summary": ["shout:rage full"],
        "compiled": [repr(Reach.TURNS)],
        "schema": [True, True, True],
        "model": "loud",
        "facts": ["shout:rage true"],
        "headers": {"x-vsr-matched-shouts": "rage", "x-vsr-shout-count": "3"},
        "explained": ["+ shout:rage  score 3.0000  3 marks"],
    }


@pytest.mark.parametrize(
    "module", ["signals.keyword", "signals.table", "signals.readings", "config.rules"]
)
def test_rules_and_document_meet_whole_whoever_is_imported_first(module: str) -> None:
    then = "from srd.signals.catalog import compile_signals; from srd.config import loads"
    run(PACKAGE.parent, "-c", f"import srd.{module}; {then}")


def test_names_and_sections_are_there_once() -> None:
    sections = [entry.section for entry in TABLE if entry.section]
    assert len(set(sections)) == len(sections)
    assert len(set(LEAF_TYPES)) == len(TABLE)
    headers = [entry.header for entry in TABLE if entry.header]
    assert len(set(headers)) == len(headers)


def test_only_metadata_and_classifier_have_no_header_of_matches() -> None:
    assert {entry.name for entry in TABLE if not entry.header} == {"metadata", "classifier"}


def test_the_documents_section_has_the_structs_of_the_table() -> None:
    fields = Signals.__annotations__
    assert fields == {entry.section: tuple[entry.rule, ...] for entry in TABLE if entry.section}


def test_a_type_with_a_head_of_its_own_can_be_switched_off() -> None:
    assert {entry.name for entry in TABLE if entry.module} == {"domain", "jailbreak", "pii"}


@pytest.mark.parametrize(
    ("leaf_type", "leaf", "split"),
    [
        ("complexity", "deep:hard", ("deep", "hard")),
        ("complexity", "a:b:easy", ("a:b", "easy")),
        ("complexity", "deep", ("deep", "")),
        ("keyword", "a:b", ("a:b", "")),
    ],
)
def test_only_a_type_with_answers_splits_a_leafs_name(leaf_type, leaf, split) -> None:
    assert BY_NAME[leaf_type].split(leaf) == split
