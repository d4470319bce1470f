"""The whole demo, with a real Envoy and a real `srd serve`."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from click.testing import CliRunner

from srd.cli.demo import demo
from srd.demo import run
from srd.demo.client import Answer
from srd.demo.envoy import missing_reason
from srd.demo.process import StartError
from srd.demo.prompts import Case
from srd.demo.run import Stage

needs_envoy = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
QUESTION = "What is the derivative of f(x) = x^3?"


@pytest.fixture(scope="module")
def stage():
    with Stage() as running:
        yield running


@needs_envoy
@pytest.mark.envoy
@pytest.mark.parametrize("listener", ["buffered", "duplex"])
def test_a_math_prompt_reaches_the_math_expert(stage: Stage, listener: str) -> None:
    (outcome,) = stage.run([Case(question=QUESTION, listener=listener)], pairs=1)
    assert outcome.problem == ""
    row = outcome.row
    assert (row.category, row.decision, row.model) == ("math", "math_decision", "math-expert")
    assert row.basis == "complete"
    assert row.bytes_read == row.bytes_total
    assert row.ms_added is not None


@needs_envoy
@pytest.mark.envoy
def test_a_large_prompt_is_decided_before_its_end(stage: Stage) -> None:
    # Far more than max_held_bytes: while the classifier thinks, reading pauses there at the latest.
    case = Case(question=QUESTION, listener="duplex", attachment_bytes=4_000_000)
    (outcome,) = stage.run([case], pairs=0)
    assert outcome.problem == ""
    assert outcome.row.basis in ("early", "budget")
    assert outcome.row.bytes_read is not None
    assert outcome.row.bytes_read < outcome.row.bytes_total
    assert outcome.row.ms_added is None


@needs_envoy
@pytest.mark.envoy
def test_the_curl_line_works_as_printed(stage: Stage) -> None:
    command = shlex.split(stage.curl().replace("\\\n", " "))
    done = subprocess.run(
        [*command, "--silent"], capture_output=True, text=True, timeout=30, check=True
    )
    assert "x-vsr-selected-model: math-expert" in done.stdout
    assert stage.backend.last.model == "math-expert"


@needs_envoy
@pytest.mark.envoy
def test_leaving_the_stage_stops_every_part() -> None:
    with Stage() as running:
        parts = (running.srd, running.envoy)
        assert [part.returncode for part in parts] == [None, None]
    assert [part.returncode for part in parts] == [0, 0]


def test_a_part_that_cannot_start_is_told_with_its_reason(tmp_path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: v0.3\nroutng: {}\n")
    with pytest.raises(StartError, match="srd ended with status 1"), Stage(bad):
        pass
    result = CliRunner().invoke(demo, ["--config", str(bad)])
    assert result.exit_code == 1
    assert "routng" in result.output


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(404, {}, b"no such model", 1.0), "status 404: no such model"),
        (Answer(200, {"x-backend-model": "a"}, b"", 1.0), "the answer carries no decision"),
        (
            Answer(200, {"x-backend-model": "a", "x-vsr-selected-model": "b"}, b"", 1.0),
            "srd says b, the backend received a",
        ),
        (Answer(200, {"x-backend-model": "a", "x-vsr-selected-model": "a"}, b"", 1.0), ""),
    ],
)
def test_an_answer_that_was_not_routed_is_named(answer: Answer, problem: str) -> None:
    assert run._problem(answer) == problem
