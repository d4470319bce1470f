from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from srd.cli import main

BODY = {
    "model": "auto",
    "messages": [{"role": "user", "content": "What is the derivative of f(x) = x^3?"}],
    "temperature": 0,
}


def run(*arguments: str, body: object = BODY):
    return CliRunner().invoke(main, ["explain", "-", *arguments], input=json.dumps(body))


def test_it_shows_the_tree_the_model_and_the_bytes_that_would_change():
    done = run()
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert "model       math-expert" in lines
    assert any(line.startswith("basis       complete, after ") for line in lines)
    assert any("+ math_decision (priority 10)  <- chosen" in line for line in lines)
    assert any("- keyword:thinking" in line for line in lines)
    assert any("header  set     x-selected-model: math-expert" in line for line in lines)
    assert any('"auto" -> "math-expert"' in line for line in lines)


def test_the_classifier_line_counts_tokens_only_where_some_were_read():
    lines = run(body=BODY | {"messages": [{"role": "user", "content": "integral " * 30}]}).stdout
    [line] = [line for line in lines.splitlines() if line.startswith("classifier")]
    assert "(linear)" in line or " tokens)" in line
    assert " 0 tokens" not in line


def test_a_refusal_is_explained_by_its_answer():
    done = run(body=BODY | {"model": "gpt-99"})
    assert done.exit_code == 1
    assert "HTTP 400" in done.stdout
    assert "gpt-99" in done.stdout


def test_what_is_not_ours_is_said_to_pass():
    done = run("--path", "/v1/batches")
    assert "passed through" in done.stdout


def test_a_path_that_nobody_routes_takes_no_auto_name():
    done = run("--path", "/v1/embeddings")
    assert done.exit_code == 1
    assert "is not routed on /v1/embeddings" in done.stdout
    named = run("--path", "/v1/embeddings", body=BODY | {"model": "e5"})
    assert "passed through" in named.stdout


def test_a_header_wants_a_colon():
    assert run("--header", "x").exit_code == 2


def test_an_explicit_model_says_that_the_client_chose():
    lines = run(body=BODY | {"model": "math-expert"}).stdout.splitlines()
    assert "decision    (none: the client named the model)" in lines
    assert not any(line.startswith("confidence") for line in lines)


TREE = """
version: v0.3
providers: {defaults: {default_model: m}}
routing:
  modelCards: [{name: m}]
  signals: {keywords: [{name: k, operator: OR, keywords: [integral]}]}
  decisions:
    - {name: late, priority: 9, tier: 2, rules: {operator: AND, conditions: []}}
    - name: first
      tier: 1
      rules:
        operator: OR
        conditions: [{operator: NOT, conditions: [{type: keyword, name: k}]}]
"""


def test_the_tree_stands_in_the_order_of_comparison_without_needless_branches(tmp_path):
    file = tmp_path / "tree.yaml"
    file.write_text(TREE)
    lines = run("--config", str(file)).stdout.splitlines()
    start = lines.index("+ first (priority 0, tier 1)  <- chosen")
    assert lines[start + 1 : start + 5] == [
        "    + NOT",
        "      - keyword:k",
        "+ late (priority 9, tier 2)",
        "    + always",
    ]


BLOCKING = """
version: v0.3
providers: {defaults: {default_model: m}}
routing:
  modelCards: [{name: m}]
  signals:
    keywords: [{name: k, operator: OR, keywords: [integral]}]
    kb: [{name: private, kb: p}]
  decisions:
    - name: stop
      priority: 9
      rules:
        operator: AND
        conditions: [{type: keyword, name: k}, {type: kb, name: private, on_unknown: match}]
      plugins: [{type: fast_response, configuration: {message: No.}}]
    - {name: hello, priority: 1, rules: {type: keyword, name: k}, blocking: false,
       plugins: [{type: fast_response, configuration: {message: Hi.}}]}
"""


def test_each_decision_shows_its_own_reading_and_what_it_does(tmp_path):
    """A signal in two uses is one name; one that srd does not have stands as it counts."""
    file = tmp_path / "blocking.yaml"
    file.write_text(BLOCKING)
    asked = BODY | {"messages": [{"role": "user", "content": "An integral, please."}]}
    lines = run("--config", str(file), body=asked).stdout.splitlines()
    start = lines.index("+ stop (priority 9, blocks)  <- chosen")
    assert lines[start + 1 : start + 6] == [
        "    + AND",
        "      + keyword:k  score 1.0000  integral",
        "      + kb:private",
        "+ hello (priority 1, answers)",
        "    + keyword:k  score 1.0000  integral",
    ]
    assert "@block" not in "".join(lines)


def talk(*turns: object, **members: object) -> dict[str, object]:
    messages = []
    for turn in turns:
        messages += [{"role": "user", "content": turn}, {"role": "assistant", "content": "So."}]
    return {"model": "auto", "messages": messages, **members}


REMINDER = "<system-reminder>be brief</system-reminder>"
MATHS = "What is the derivative of f(x) = x^3, and what is its integral?"


def shown(*arguments: str, body: object) -> list[str]:
    lines = run(*arguments, body=body).stdout.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("evidence"))
    return lines[start : lines.index("", start)]


def test_the_evidence_of_a_conversation():
    """Which bytes decided, what no human wrote of them, which turn holds the subject."""
    last = REMINDER + "Shorter, please, and without so many words."
    asked = talk(MATHS, [{"type": "text", "text": REMINDER}], "yes", last)
    raw = json.dumps(asked)
    at = [raw.index(text) for text in (MATHS, '"yes"', last)]
    lines = shown(body=asked)
    assert lines[0].startswith("evidence    turn 1 of 3; held since turn 1: math ")
    assert lines[1:3] == [
        f"decided by  bytes {at[2]}-{at[2] + len(last)}"
        '  "Shorter, please, and without so many words."',
        f"  skipped   characters 0-{len(REMINDER)} of it: <system-reminder>",
    ]
    assert lines[3].startswith(f"turn 1      bytes {at[0]}-{at[0] + len(MATHS)}  math ")
    assert lines[3].endswith("  <- its subject counts")
    assert lines[4] == f"turn 2      bytes {at[1] + 1}-{at[1] + 4}  (not scored)"
    assert lines[5].startswith(f"turn 3      bytes {at[2]}-{at[2] + len(last)}  ")
    assert lines[6:] == ["harness     1 user message without a human's word"]


def test_the_evidence_of_an_early_decision_is_a_beginning():
    asked = talk(REMINDER + MATHS * 60, pad="p" * 90_000)
    asked["messages"] *= 20
    lines = shown(body=asked)
    assert lines[0].startswith("evidence    the first ")
    start = json.dumps(asked).index(REMINDER)
    assert lines[1].startswith(f'decided by  from byte {start} on  "{MATHS[:40]}')
    assert lines[2] == f"  skipped   characters 0-{len(REMINDER)} of it: <system-reminder>"


def test_a_signed_turn_pins_and_the_evidence_says_so():
    signed = {"type": "thinking", "thinking": "", "signature": "c2lnbmVk"}
    asked = talk(MATHS, "Now of the law of contracts, please: who is bound?")
    asked["messages"][1]["content"] = [signed]
    first = shown("--path", "/v1/messages", body=asked)[0]
    assert first.endswith("; pinned by thinking, 1 later user messages do not count")


def test_what_a_terminal_would_obey_is_not_printed():
    [line] = [n for n in shown(body=talk("What is \x1b[31mthe integral of x?")) if "decided" in n]
    assert "\x1b" not in line
    assert "the integral of x?" in line


def test_where_a_rule_blocks_the_texts_that_it_read_are_counted(tmp_path):
    file = tmp_path / "blocking.yaml"
    file.write_text(BLOCKING)
    lines = shown("--config", str(file), body=talk("A question.", "Another one.", "The last."))
    assert [line for line in lines if line.startswith("inspected")] == [
        "inspected   2 texts: an earlier user message",
        "inspected   1 text: the last user message",
    ]


@pytest.mark.parametrize(("mode", "exit_code"), [("enforce", 1), ("observe", 0)])
def test_what_could_not_be_evaluated_is_named_for_the_operator_alone(tmp_path, mode, exit_code):
    file = tmp_path / "blocking.yaml"
    blocking = f"global: {{router: {{blocking: {{mode: {mode}}}}}}}\n"
    file.write_text(BLOCKING.replace("on_unknown: match", "on_unknown: fail_request") + blocking)
    done = run("--config", str(file), body=talk("An integral."))
    assert done.exit_code == exit_code
    how = {"enforce": "refused     ", "observe": "observed    would be refused: "}[mode]
    assert f"{how}policy_unanswered: kb:private" in done.stdout.splitlines()
