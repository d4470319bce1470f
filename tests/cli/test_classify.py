from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from srd.cli import main


def run(*arguments: str, text: str | None = None):
    return CliRunner().invoke(main, ["classify", *arguments], input=text)


def test_a_prompt_gives_its_label_and_where_it_would_go():
    said = json.loads(run("What is the derivative of f(x) = x^3?").stdout)
    assert said["category"] == "math"
    assert 0 < said["confidence"] <= 1
    assert said["decision"] == "math_decision"
    assert said["model"] == "math-expert"
    assert 0 <= said["jailbreak"] <= 1
    assert said["pii"] == []


def test_lines_come_out_in_the_order_they_went_in_bad_ones_included(tmp_path):
    lines = [
        json.dumps({"text": "Solve 3x + 4 = 19 for x.", "id": 1}),
        "no json",
        "",
        json.dumps({"prompt": "x"}),
        json.dumps({"text": "urgent: reply to bob.smith@example.com"}),
    ]
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n".join(lines))
    done = run("--jsonl", str(file))
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == 4
    assert said[0]["category"] == "math"
    assert "not JSON" in said[1]["error"]
    assert "text" in said[2]["error"]
    assert said[3]["decision"] == "thinking_decision"
    (span,) = [span for span in said[3]["pii"] if span["type"] == "EMAIL_ADDRESS"]
    assert (span["start"], span["end"]) == (17, 38)


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path):
    file = tmp_path / "prompts.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps({"text": "Solve 3x + 4 = 19."}).encode())
    (line,) = run("--jsonl", str(file)).stdout.splitlines()
    assert json.loads(line)["category"] == "math"


def test_a_dash_reads_the_prompt_from_standard_input():
    said = json.loads(run("-", text="Solve 3x + 4 = 19 for x.").stdout)
    assert said["category"] == "math"


@pytest.mark.parametrize("arguments", [(), ("text", "--jsonl", "-")])
def test_exactly_one_source_of_prompts_is_wanted(arguments):
    assert run(*arguments).exit_code == 2


def test_a_configuration_that_cannot_be_used_is_said_at_once(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("version: v0.3\nrouting: {decisions: [{nam: x}]}\n")
    done = run("text", "--config", str(file))
    assert done.exit_code == 1
    assert "nam" in done.stderr
