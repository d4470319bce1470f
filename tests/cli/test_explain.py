from __future__ import annotations

import json

from click.testing import CliRunner

from srd.cli import main
from srd.cli.explain import changes

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


def test_a_refusal_is_explained_by_its_answer():
    done = run(body=BODY | {"model": "gpt-99"})
    assert done.exit_code == 1
    assert "HTTP 400" in done.stdout
    assert "gpt-99" in done.stdout


def test_what_is_not_ours_is_said_to_pass():
    done = run("--path", "/v1/embeddings")
    assert "passed through" in done.stdout


def test_a_header_wants_a_colon():
    assert run("--header", "x").exit_code == 2


def test_changes_name_offset_old_and_new_and_nothing_else():
    before, after = b'{"a":1,"model":"auto","b":[1e400]}', b'{"a":1,"model":"m","b":[1e400],"c":2}'
    assert list(changes(before, after)) == [(15, b'"auto"', b'"m"'), (33, b"", b',"c":2')]
    assert list(changes(before, before)) == []
