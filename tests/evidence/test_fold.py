"""The topic of a conversation, by transcripts with scores made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.evidence.fold import (
    MOST_TURNS,
    SHORTEST,
    Topic,
    best,
    counted,
    fold,
    told,
    turn_text,
)

LABELS = ("law", "math", "other", "physics")
EIGEN = "How do I find the eigenvalues of a matrix?"
DETERMINANT = "And what does its determinant tell about invertibility of maps?"
NEIGHBOUR = "Different question: may my neighbour's oak overhang our fence?"


def score(label: str, confidence: float, **others: float) -> dict[str, float]:
    return {label: confidence, **others}


def topic_of(*transcript: tuple[str, dict[str, float] | None], leave: float = 0.5) -> Topic | None:
    turns = [text for text, _ in transcript]
    scores = {i: said for i, (_, said) in enumerate(transcript) if said is not None}
    return fold(turns, scores, leave=leave)


def held(*transcript: tuple[str, dict[str, float] | None], leave: float = 0.5) -> int:
    topic = topic_of(*transcript, leave=leave)
    assert topic is not None
    return topic.turn


def test_the_topic_starts_with_the_first_turn_and_turns_on_it_keep_it() -> None:
    topic = topic_of((EIGEN, score("math", 0.97)), (DETERMINANT, score("math", 0.99)))
    assert topic == Topic(0, "math", 0.97, ((0, "math", 0.97), (1, "math", 0.99)))


@pytest.mark.parametrize("aside", ["yes", "commit it", "shorter please", "run the tests again"])
def test_asides_keep_the_topic_whatever_is_said_of_them(aside: str) -> None:
    assert held((EIGEN, score("math", 0.9)), (aside, score("other", 1.0))) == 0


def test_a_turn_of_another_subject_takes_the_topic_over() -> None:
    last = (NEIGHBOUR, score("law", 0.8, math=0.01))
    assert held((EIGEN, score("math", 0.97)), last) == 1
    assert held((EIGEN, score("math", 0.97)), last, (EIGEN, score("math", 0.9, law=0.01))) == 2


def test_a_turn_that_begins_as_one_that_goes_on_must_be_very_sure() -> None:
    going_on = "ok, but if my neighbour's oak overhangs a fence?"
    assert held((EIGEN, score("math", 0.97)), (going_on, score("law", 0.98, math=0.01))) == 0
    assert held((EIGEN, score("math", 0.97)), (going_on, score("law", 0.995, math=0.001))) == 1


def test_a_turn_that_retrieval_wrote_around_is_judged_by_its_question() -> None:
    passages = "The river bends twice before it meets the old mill of the village. " * 40
    aside = f"Context:\n{passages}\n\nQuestion: why is that?"
    assert held((EIGEN, score("math", 0.9)), (aside, score("other", 1.0))) == 0
    assert turn_text(f"Context:\n{passages}\n\nQuestion: {EIGEN}\n\nAnswer:") == EIGEN


def test_a_turn_less_sure_than_leave_does_not() -> None:
    conversation = (EIGEN, score("math", 0.97)), (NEIGHBOUR, score("law", 0.8, math=0.01))
    assert held(*conversation, leave=0.81) == 0
    assert held(*conversation, leave=0.8) == 1


def test_a_turn_that_speaks_for_the_old_subject_too_does_not() -> None:
    first = (EIGEN, score("math", 0.97))
    assert held(first, (NEIGHBOUR, score("law", 0.75, math=0.04))) == 0
    assert held(first, (NEIGHBOUR, score("law", 0.75, math=0.03))) == 1


def test_the_fewer_words_name_a_subject_the_surer_the_score_must_be() -> None:
    first = (EIGEN, score("math", 0.97))
    assert held(first, ("What is a monopoly?", score("law", 0.94))) == 0
    assert held(first, ("What is a monopoly?", score("law", 0.95))) == 1
    assert held(first, ("Is alcohol bad with antibiotics?", score("law", 0.84))) == 0
    assert held(first, ("Is alcohol bad with antibiotics?", score("law", 0.85))) == 1


def test_leaving_for_other_takes_more_than_leaving_for_a_subject() -> None:
    first = (EIGEN, score("math", 0.97))
    recipe = "Suggest a vegetarian lasagne recipe for my guests"
    assert held(first, (recipe, score("other", 0.74))) == 0
    assert held(first, (recipe, score("other", 0.75))) == 1


def test_small_talk_in_front_does_not_pin_the_conversation() -> None:
    question = (DETERMINANT, score("math", 0.6, other=0.05))
    assert held(("hi", None), question) == 1
    assert held(("Hello there, can you help me?", None), question) == 1
    assert held(("Bonjour, pouvez-vous m'aider ?", score("other", 0.4)), question) == 1


def test_without_a_turn_that_names_a_subject_there_is_no_topic() -> None:
    assert topic_of(("hi", None), ("can you help me?", None)) is None
    assert fold([], {}, leave=0.5) is None


def test_a_turn_that_could_not_be_scored_says_nothing() -> None:
    assert held((EIGEN, score("math", 0.97)), (NEIGHBOUR, None)) == 0


def test_a_block_that_binds_to_a_model_stops_the_count_at_its_turn() -> None:
    turns = [EIGEN, DETERMINANT, NEIGHBOUR]
    scores = {0: score("math", 0.9), 1: score("math", 0.9), 2: score("law", 0.99)}
    free, pinned = fold(turns, scores, leave=0.5), fold(turns, scores, leave=0.5, upto=1)
    assert free is not None
    assert free.turn == 2
    assert pinned == fold(turns[:2], scores, leave=0.5)
    assert counted(turns, 1) == (0, 1)
    assert counted(turns, 99) == counted(turns) == (0, 1, 2)


def test_at_most_32_turns_count_the_first_and_the_latest() -> None:
    turns = [f"Question {n} on tectonic plates, yes?" for n in range(60)]
    assert counted(turns) == (0, *range(29, 60))
    turns[0] = turns[40] = "ok, go on please"
    assert counted(turns) == (1, *range(28, 40), *range(41, 60))


def test_the_change_of_a_conversation_is_remembered_beyond_32_turns() -> None:
    turns = [EIGEN, *(f"Is clause {n} of that tenancy contract void?" for n in range(60))]
    scores = {0: score("math", 0.97), **{n: score("law", 0.9) for n in range(1, 61)}}
    topic = fold(turns, {n: scores[n] for n in counted(turns)}, leave=0.5)
    assert topic is not None
    assert topic.label == "law"


def test_the_line_for_explanations_names_the_turn_that_holds_and_the_latest_after_it() -> None:
    topic = Topic(0, "math", 0.97, ((0, "math", 0.97), (2, "law", 0.2), (4, "other", 0.41)))
    assert told(topic) == "held since turn 1: math .97; turn 5 said other .41"
    assert told(Topic(4, "law", 1.0, ((0, "math", 0.9), (4, "law", 1.0)))) == (
        "held since turn 5: law 1.00"
    )


def test_of_equals_the_first_label_by_name_is_the_best() -> None:
    assert best({"math": 0.4, "law": 0.4, "other": 0.2}) == ("law", 0.4)


def test_of_a_long_turn_both_ends_are_scored_the_end_with_more() -> None:
    text = "How does " + "granite " * 100 + "weather?"
    scored = turn_text(text)
    assert scored.startswith("How does granite")
    assert scored.endswith("granite weather?")
    assert len(scored) <= 256
    assert turn_text("x" * 5000) == "x" * 85 + " " + "x" * 170
    assert turn_text("Thanks! Why is granite hard?") == "Why is granite hard?"


# Properties

texts = st.sampled_from(
    [EIGEN, DETERMINANT, NEIGHBOUR, "What is a monopoly?", "Is alcohol bad with antibiotics?"]
) | st.text(max_size=40)
distributions = st.lists(st.floats(0.001, 1.0), min_size=4, max_size=4).map(
    lambda parts: {name: part / sum(parts) for name, part in zip(LABELS, parts, strict=True)}
)
conversations = st.lists(st.tuples(texts, distributions), min_size=1, max_size=12)
leaves = st.floats(0.0, 1.0)
short = st.text(max_size=SHORTEST - 1)


def folded(conversation: list[tuple[str, dict[str, float]]], leave: float) -> Topic | None:
    return topic_of(*conversation, leave=leave)


@given(conversations, leaves)
def test_the_topic_up_to_a_turn_does_not_depend_on_later_ones(
    conversation: list[tuple[str, dict[str, float]]], leave: float
) -> None:
    turns = [text for text, _ in conversation]
    scores = {i: said for i, (_, said) in enumerate(conversation)}
    for end in range(len(turns)):
        assert fold(turns, scores, leave=leave, upto=end) == folded(conversation[: end + 1], leave)


@given(conversations, leaves, short, distributions)
def test_a_short_turn_never_changes_the_topic(
    conversation: list[tuple[str, dict[str, float]]],
    leave: float,
    text: str,
    said: dict[str, float],
) -> None:
    assert folded([*conversation, (text, said)], leave) == folded(conversation, leave)


@given(st.lists(texts, max_size=80))
def test_the_first_turn_with_a_subject_counts_and_never_more_than_32(turns: list[str]) -> None:
    chosen = counted(turns)
    assert len(chosen) <= MOST_TURNS
    assert list(chosen) == sorted(set(chosen))
    alone = [n for n in range(len(turns)) if counted([turns[n]])]
    assert chosen[:1] == tuple(alone[:1])
    assert set(chosen) <= set(alone)
    assert chosen[1:] == tuple(alone[1:][-(MOST_TURNS - 1) :])


@given(conversations, leaves)
def test_a_topic_is_one_of_its_turns_and_as_sure_as_it_had_to_be(
    conversation: list[tuple[str, dict[str, float]]], leave: float
) -> None:
    topic = folded(conversation, leave)
    if topic is None:
        assert not counted([text for text, _ in conversation])
        return
    assert (topic.turn, topic.label, topic.confidence) in topic.said
    assert topic.turn == topic.said[0][0] or topic.confidence >= leave


@given(st.text(max_size=2000))
def test_what_is_scored_of_a_turn_is_short_and_taken_from_it(text: str) -> None:
    scored = turn_text(text)
    assert len(scored) <= 256
    assert scored in text or all(half in text for half in (scored[:60], scored[-60:]))
