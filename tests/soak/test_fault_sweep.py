"""A slice of the fault sweep in CI: FAULTS (60) faults of each transcript, by FAULT_SEED."""

from __future__ import annotations

import os
import random

import pytest
from soak import fault_sweep
from soak.fault_sweep import TRANSCRIPTS, WRONG, Ended, Fault, Sweep, bad, table

FAULTS = int(os.environ.get("FAULTS", "60"))
SEED = os.environ.get("FAULT_SEED") or "12"


@pytest.fixture
def stage():
    stages = []

    def make(transcript):
        stages.append(Sweep(transcript))
        return stages[-1]

    yield make
    for made in stages:
        made.close()


@pytest.mark.parametrize("transcript", TRANSCRIPTS)
def test_a_fault_at_any_statement_ends_right_or_visibly(stage, transcript):
    sweep = stage(transcript)
    assert sweep.baseline == ("right", "")
    faults = sweep.faults()
    chosen = random.Random(f"{SEED} {transcript}").sample(faults, min(FAULTS, len(faults)))
    wrong = [ended for ended in map(sweep.inject, chosen) if bad(ended)]
    told = "\n".join(f"{ended.how}: {ended.why} '{ended.fault}'" for ended in wrong)
    assert not wrong, f"FAULT_SEED={SEED}\n{told}"


def test_the_fault_is_raised_where_it_is_asked_for(stage):
    sweep = stage("duplex, complete")
    before = sweep.faults()
    assert {fault.file.split("/")[1] for fault in before} == {
        "body", "daemon", "decide", "exchange", "plugins", "signals",
    }  # fmt: skip
    stream = [fault for fault in before if fault.file.endswith("translate.py")]
    assert all(sweep.inject(fault).how != "right" for fault in stream)
    assert sweep.baseline == ("right", "")


def test_a_fault_that_is_never_reached_changes_nothing(stage):
    sweep = stage("duplex, complete")
    assert sweep.inject(Fault("duplex, complete", "srd/body/body.py", 1, 1)).how == "right"


def test_a_fault_that_is_swallowed_is_found(stage, monkeypatch):
    sweep = stage("duplex, complete")
    gateway = sweep.right.gateway
    gateway.left[-1:] = b""
    assert sweep.baseline[0] == WRONG


def test_what_may_not_happen_is_told_from_what_may():
    def ended(how, file="srd/body/body.py"):
        return Ended(Fault("t", file, 1, 1), how, "")

    assert [how for how in fault_sweep.CLASSES if bad(ended(how))] == [
        "error", WRONG, "hangs", "leaks",
    ]  # fmt: skip
    assert not bad(ended("error", "srd/daemon/stream.py"))
    lines = table([ended("right"), ended("right"), ended(WRONG, "srd/daemon/stream.py")])
    assert "| srd/body | 2 | 0 |" in lines
    assert lines.splitlines()[-1].startswith("| all | 2 | 0 | 0 | 0 | 0 | 1 |")


def test_a_fault_is_read_back_as_it_was_printed(stage):
    for fault in stage("prefix").faults():
        assert Fault.parse(str(fault)) == fault
