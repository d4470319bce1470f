"""The demo's requests."""

from __future__ import annotations

import json

from srd.demo.prompts import CASES, Case, attachment


def test_there_are_a_dozen_different_prompts_or_more() -> None:
    assert len({case.question for case in CASES}) >= 12


def test_both_modes_a_stream_and_a_large_body_are_shown() -> None:
    assert {case.listener for case in CASES} == {"buffered", "duplex"}
    assert any(case.stream for case in CASES)
    assert max(len(case.body()) for case in CASES) > 2_000_000


def test_every_request_asks_for_auto() -> None:
    assert {json.loads(case.body())["model"] for case in CASES} == {"auto"}


def test_a_salt_goes_before_the_question() -> None:
    case = Case(question="Why?", listener="duplex", attachment_bytes=100)
    content = case.document(model="base-model", salt="(1) ")["messages"][0]["content"]
    assert content.startswith("(1) Why?\n\n1. The tenant")


def test_an_attachment_has_the_asked_size_and_numbered_clauses() -> None:
    assert len(attachment(12_345)) == 12_345
    assert "\n3. Either party" in attachment(1000)
