"""Which texts of a conversation are a human's."""

from __future__ import annotations

from srd.config.globals import EvidenceRules
from srd.evidence.conversation import (
    MOST_TEXTS,
    Beginning,
    Spoken,
    Text,
    beginning,
    conversation,
    whole_beginning,
)
from srd.evidence.human import Harness

HARNESS = Harness.of(EvidenceRules())
REMINDER = "<system-reminder>Be kind.</system-reminder>"


def said(*messages: str | tuple[str, ...], step: int = 2) -> list[Spoken]:
    """User messages at places 0, 2, 4, ..."""
    texts = [(m,) if isinstance(m, str) else m for m in messages]
    return [Spoken(n * step, tuple(map(Text, each))) for n, each in enumerate(texts)]


def test_a_turn_is_what_a_human_wrote_in_a_message():
    found = conversation(HARNESS, said((REMINDER, "one"), REMINDER, ("two", f"{REMINDER}\nthree")))
    assert [(turn.place, [part.text for part in turn.parts]) for turn in found.turns] == [
        (0, ["one"]),
        (4, ["two", "three"]),
    ]
    assert found.last is not None
    assert found.last.text == "three"
    assert (found.harness, found.unfiltered) == (1, False)


def test_what_was_skipped_is_known_with_its_reason():
    found = conversation(HARNESS, said(f"{REMINDER}one"))
    (part,) = found.turns[0].parts
    (skipped,) = part.skipped
    assert (skipped.start, skipped.end) == (0, len(REMINDER))
    assert "system-reminder" in skipped.why


def test_if_nothing_human_is_left_the_last_message_counts_as_it_came():
    found = conversation(HARNESS, said(REMINDER, (REMINDER, REMINDER)))
    assert found.unfiltered
    assert found.last is not None
    assert found.last.text == f"{REMINDER} {REMINDER}"
    assert conversation(HARNESS, []).last is None


def test_turns_behind_a_place_do_not_count():
    found = conversation(HARNESS, said("one", "two", "three"), before=3)
    assert [turn.text for turn in found.turns] == ["one", "two"]


def test_of_very_much_text_the_first_message_and_the_most_recent_ones_are_searched():
    large = "x" * (MOST_TEXTS // 2 - 10)
    found = conversation(HARNESS, said("one", large, "two", large, "three"))
    assert [turn.text[:5] for turn in found.turns] == ["one", "xxxxx", "two", "xxxxx", "three"]
    found = conversation(HARNESS, said("one", large, large, large, "three"))
    assert [turn.text[:5] for turn in found.turns] == ["one", "xxxxx", "xxxxx", "three"]
    found = conversation(HARNESS, said("one", "two", large * 3))
    assert [turn.text[:3] for turn in found.turns] == ["one", "xxx"]


def test_a_beginning_is_the_first_human_text_and_says_whether_it_may_go_on():
    assert beginning(HARNESS, said(REMINDER, ("one", "two")), more=True).text == "one"
    first = beginning(HARNESS, said(REMINDER, ("one", "two")), more=True)
    assert not first.more  # another text follows it
    assert beginning(HARNESS, said(REMINDER, "one"), more=True).more
    assert not beginning(HARNESS, said(REMINDER, "one"), more=False).more
    assert beginning(HARNESS, said(REMINDER, "<system-rem"), more=True) == Beginning("", True)
    assert whole_beginning(said((REMINDER, "a"), "b")) == f"{REMINDER} a"
    assert whole_beginning([]) == ""
