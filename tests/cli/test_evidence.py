"""Evidence drawn from a body: quotations only of what stands there as it is."""

from __future__ import annotations

import json

import pytest
from click import unstyle

from srd.cli.evidence import evidence
from srd.evidence.account import Account, Deciding, Said
from srd.evidence.human import Skipped


def drawn(text: Deciding, raw: bytes) -> str:
    return next(n for n in evidence(Account(texts=(text,)), raw) if n.startswith("decided"))


RAW = json.dumps({"content": 'say "hi" \u00e9 now'}).encode()


def test_escapes_are_undone_in_what_is_quoted():
    start = RAW.index(b"say")
    assert drawn(Deciding(0, start, len(RAW) - 2, 15), RAW) == (
        f'decided by  bytes {start}-{len(RAW) - 2}  "say "hi" \u00e9 now"'
    )


def test_what_was_skipped_is_not_quoted_and_a_beginning_no_further_than_it_was_read():
    start = RAW.index(b"say")
    text = Deciding(0, start, -1, 4, (Skipped(0, 4, "<x>"),))
    assert drawn(text, RAW) == f'decided by  from byte {start} on  ""hi""'


def test_a_long_text_is_quoted_by_its_ends():
    raw = b'{"content":"' + b"a" * 300 + b"b" * 300 + b'"}'
    line = drawn(Deciding(0, 12, 612, 600), raw)
    assert line.endswith(f'"{"a" * 80} \u2026 {"b" * 40}"')


@pytest.mark.parametrize("start", [-1, 0, 3, 900])
def test_a_body_that_does_not_show_the_text_is_not_quoted(start):
    for raw in (b"\x1f\x8b packed", b'{"a":"\xff\xfe"}', b""):
        assert '"' not in drawn(Deciding(0, start, start + 9, 9), raw)
    assert '"' not in drawn(Deciding(0, 6, 8, 2), b'{"a":"\xff\xfe"}')


def test_of_very_many_turns_those_are_drawn_that_say_something():
    turns = tuple(Said(n, n, n + 1, "law" if n == 7 else "", 0.9) for n in range(100))
    lines = [unstyle(line) for line in evidence(Account(turns=turns, decides=0), b"")]
    assert [line.split()[1] for line in lines if line.startswith("turn")] == ["1", "8", "100"]
    assert lines[-1].strip() == "(97 turns that were not scored)"
