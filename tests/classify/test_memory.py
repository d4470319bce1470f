from __future__ import annotations

import pytest

from srd.classify.api import Ask, PiiSpan, Scores, SegmentScores
from srd.classify.memory import Memory

BOTH = frozenset({"jailbreak", "pii"})


@pytest.fixture
def memory():
    return Memory(prefixes=8, segments=8)


def learn(memory, ask, scores, *final):
    return memory.learn(ask, memory.look(ask), scores, final)


def segment(risk, spans=()):
    return SegmentScores(jailbreak=risk, pii=tuple(spans))


def test_what_is_left_to_ask_holds_each_text_once(memory):
    ask = Ask(text="a", heads=BOTH | {"domain"}, turns=("a", "b", "a"), segments=("x", "y", "x"))
    rest = memory.look(ask).rest
    assert (rest.turns, rest.segments) == (("a", "b"), ("x", "y"))


def test_parts_that_are_known_are_not_asked_again(memory):
    ask = Ask(text="a", heads=BOTH | {"domain"}, turns=("b",), segments=("x", "y"))
    scores = Scores(
        domain={"law": 1.0}, turns=({"math": 1.0},), segments=(segment(0.1), segment(0.2))
    )
    answer = learn(memory, ask, scores, True, True)
    assert [one.jailbreak for one in answer.segments] == [0.1, 0.2]
    more = Ask(text="a", heads=BOTH | {"domain"}, turns=("b", "c"), segments=("y", "z", "x"))
    rest = memory.look(more).rest
    assert (rest.heads, rest.turns, rest.segments) == (BOTH, ("c",), ("z",))
    scores = Scores(turns=({"law": 0.5},), segments=(segment(0.9),))
    answer = learn(memory, more, scores, True)
    assert [one.jailbreak for one in answer.segments] == [0.2, 0.9, 0.1]
    assert answer.domain == {"law": 1.0}
    assert answer.turns == ({"math": 1.0}, {"law": 0.5})


def test_an_answer_that_depends_on_what_else_was_asked_is_given_and_not_remembered(memory):
    ask = Ask(text="", heads=BOTH, segments=("x", "y"))
    scores = Scores(segments=(segment(0.1), segment(0.2)))
    answer = learn(memory, ask, scores, True, False)
    assert [one.jailbreak for one in answer.segments] == [0.1, 0.2]
    assert memory.look(ask).rest.segments == ("y",)


def test_a_text_with_very_many_spans_is_read_again(memory):
    ask = Ask(text="", heads=frozenset({"pii"}), segments=("x",))
    spans = tuple(PiiSpan(n, n + 1, "PERSON", 0.9) for n in range(1000))
    answer = learn(memory, ask, Scores(segments=(SegmentScores(pii=spans),)), True)
    assert answer.segments[0].pii == spans
    assert memory.look(ask).rest is not None


def test_characters_that_nothing_saw_are_remembered_with_the_answer(memory):
    ask = Ask(text="", heads=frozenset({"jailbreak"}), segments=("x",))
    learn(memory, ask, Scores(segments=(SegmentScores(jailbreak=0.1, unread=7),)), True)
    answer = memory.whole(ask, memory.look(ask))
    assert (answer.segments[0].unread, answer.truncated) == (7, True)


def test_the_same_text_without_segments_is_the_same_text(memory):
    learn(memory, Ask(text="x", heads=BOTH), Scores(jailbreak=0.3, pii=()), True)
    known = memory.look(Ask(text="", heads=BOTH, segments=("x",)))
    assert known.rest is None
    assert known.remembered == 1


def test_nothing_that_is_kept_is_a_text(memory):
    ask = Ask(text="secret", heads=BOTH | {"domain"}, turns=("secret",), segments=("secret",))
    scores = Scores(domain={"law": 1.0}, turns=({"law": 1.0},), segments=(segment(0.1),))
    learn(memory, ask, scores, True)
    for cache in (memory._domains, memory._embeddings, memory._inspected):
        assert "secret" not in repr(cache._entries)
