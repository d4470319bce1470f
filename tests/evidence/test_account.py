"""One line that says why: which turn, what held, what was not read, and no text."""

from __future__ import annotations

import pytest

from srd.evidence.account import NOTHING, Account, Deciding, Said, line

FIVE = tuple(Said(place, place * 10, place * 10 + 5) for place in range(5))


@pytest.mark.parametrize(
    ("account", "told"),
    [
        (NOTHING, "no user's text"),
        (Account(turns=FIVE[:1], decides=0), "turn 1 of 1"),
        (
            Account(
                turns=FIVE,
                decides=0,
                held="held since turn 1: math .97; turn 5 said other .41",
                unread=9,
            ),
            "turn 1 of 5; held since turn 1: math .97; turn 5 said other .41; 9 characters unread",
        ),
        (
            Account(turns=(*FIVE[:2], Said(4, 0, 1, "law", 0.966)), decides=2),
            "turn 3 of 3: law .97",
        ),
        (
            Account(turns=FIVE[:2], decides=1, pinned="thinking", behind=3),
            "turn 2 of 2; pinned by thinking, 3 later user messages do not count",
        ),
        (
            Account(turns=FIVE[:1], decides=0, pinned="signature"),
            "turn 1 of 1; pinned by signature",
        ),
        (
            Account(turns=FIVE[:1], decides=0, pin_unknown=True),
            "turn 1 of 1; pin unknown: earlier turns are not in the body",
        ),
        (
            Account(texts=(Deciding(2, 40, -1, 312),), turns=FIVE[:1], decides=0, early=True),
            "the first 312 characters of turn 1",
        ),
        (
            Account(turns=FIVE[:1], decides=0, unfiltered=True),
            "turn 1 of 1; nothing in it is a human's",
        ),
    ],
)
def test_the_line_says_what_decided_and_what_limits_it(account, told):
    assert line(account) == told
    assert told in repr(account)


def test_turns_are_numbered_from_one():
    assert NOTHING.turn == 0
    assert Account(turns=FIVE, decides=0).turn == 1
