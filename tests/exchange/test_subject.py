"""Bytes that were read become the text that is judged, and the asks about it."""

from __future__ import annotations

import json

import pytest
from playbook import LABELS, PLAIN, policy_of

from srd.body.body import Api, Body
from srd.classify.api import Scores
from srd.evidence.fold import Topic
from srd.exchange.accounts import told
from srd.exchange.subject import Subject, Witness, answer_of
from srd.signals.base import Origin, Segment

WITNESS = Witness(policy_of(PLAIN))
LAST = policy_of(PLAIN.replace("  router:\n", "  router:\n    conversation: last_message\n"))
GUARDED = policy_of(
    PLAIN.replace("    domains:", "    jailbreak: [{name: attack}]\n    domains:").replace(
        "rules: {operator: OR, conditions: [{type: keyword, name: thinking}]}",
        "blocking: true\n      "
        "rules: {operator: OR, conditions: [{type: jailbreak, name: attack}]}",
    )
)


def read(*messages: dict, end: bool = True, **members: object) -> Body:
    data = json.dumps({"messages": list(messages), **members}).encode()
    body = Body(Api.CHAT)
    body.receive(data if end else data[:-4], end=end)
    body.read()
    return body


def user(content: object) -> dict:
    return {"role": "user", "content": content}


def distribution(label: str, p: float = 0.97) -> dict[str, float]:
    return {each: p if each == label else (1 - p) / (len(LABELS) - 1) for each in LABELS}


TALK = (
    user("the derivative of a polynomial"),
    {"role": "assistant", "content": "a1"},
    user("is a verbal contract binding"),
)


def test_the_last_human_turn_is_what_is_asked_about():
    subject = WITNESS.complete(read(*TALK), whole=True, at=None)
    assert subject.text == "is a verbal contract binding"
    assert subject.asked == ("is a verbal contract binding",)
    assert [number for number, _ in subject.earlier] == [0, 1]
    ask = subject.ask(frozenset({"domain"}))
    assert (ask.text, ask.turns) == (subject.text, tuple(text for _, text in subject.earlier))


def test_where_every_message_decides_for_itself_no_other_turn_is_asked_about():
    subject = Witness(LAST).complete(read(*TALK), whole=True, at=None)
    assert (subject.earlier, subject.said) == ((), ())
    assert subject.held(None) is None


def test_turns_behind_what_binds_do_not_count():
    subject = WITNESS.complete(read(*TALK), whole=True, at=1)
    assert subject.text == "the derivative of a polynomial"
    assert subject.earlier == ()


@pytest.mark.parametrize(
    ("topic", "held"), [(0, 0), (1, None)], ids=["an earlier one", "the last one"]
)
def test_the_turn_that_holds_is_asked_about_as_when_it_was_the_last(topic, held):
    subject = WITNESS.complete(read(*TALK), whole=True, at=None)
    assert subject.held(Topic(topic, "math", 0.9)) == held
    first = WITNESS.complete(read(TALK[0]), whole=True, at=None)
    assert subject.ask_of(0) == first.ask(frozenset({"domain"}))
    assert subject.seed(0) == first.seed(None) == first.text


def test_where_no_turn_names_a_subject_the_first_one_decides():
    talk = (user("hello"), {"role": "assistant", "content": "hi"}, user("thanks"))
    subject = WITNESS.complete(read(*talk), whole=True, at=None)
    scores = Scores(domain=distribution("law"))
    assert subject.topic(scores, 0.5) is None
    assert subject.held(None) == 0


def test_the_topic_is_read_from_the_turns_scores():
    subject = WITNESS.complete(read(*TALK), whole=True, at=None)
    math, law = distribution("math"), distribution("law")
    kept = subject.topic(Scores(domain=math, turns=(math, math)), 0.5)
    left = subject.topic(Scores(domain=law, turns=(math, law)), 0.5)
    assert kept is not None
    assert left is not None
    assert (kept.turn, left.turn) == (0, 1)


def test_segments_are_those_that_a_rule_reads_each_by_itself():
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    body = read({"role": "system", "content": "s"}, user("zero"), user(parts))
    subject = Witness(GUARDED).complete(body, whole=True, at=None)
    assert subject.segments == (
        Segment(Origin.PRIOR, "zero"),
        Segment(Origin.LAST, "one"),
        Segment(Origin.LAST, "two"),
    )
    assert subject.ask(frozenset({"jailbreak"})).segments == ("zero", "one", "two")
    assert subject.ask(frozenset({"domain"})).segments == ()
    assert WITNESS.complete(body, whole=True, at=None).segments == ()


def test_a_stage_is_the_same_for_every_continuation():
    words = "alpha beta gamma delta " * 200
    stage = WITNESS.stage(words, 0, more=True)
    assert stage is not None
    assert WITNESS.stage(words[:100], 0, more=True) is None
    for size in (len(stage.text) + 40, 2000, len(words)):
        assert WITNESS.stage(words[:size], 0, more=True) == stage
    assert not WITNESS.is_last(words, 0, more=True)
    assert WITNESS.is_last("short", 0, more=False)


def test_a_beginning_skips_the_harness_and_falls_back_to_the_whole():
    body = read(user("<system-reminder>x</system-reminder>one"), end=False)
    assert WITNESS.begun(body) == ("one", True)
    harness = read(user("<system-reminder>x</system-reminder>"))
    assert WITNESS.begun(harness) == ("", True)
    assert WITNESS.unfiltered(harness) == "<system-reminder>x</system-reminder>"
    alone = read({"role": "system", "content": "s"})
    assert WITNESS.unfiltered(alone) == "s"


def test_an_account_tells_places_and_no_text():
    body = read(user("<system-reminder>x</system-reminder>one"))
    subject = WITNESS.complete(body, whole=True, at=None)
    (deciding,) = subject.account.texts
    assert (deciding.place, deciding.characters) == (0, 3)
    assert deciding.skipped[0].end == len("<system-reminder>x</system-reminder>")
    assert "one" not in repr(subject.account)
    said = told(subject.account, Topic(0, "math", 0.97, ((0, "math", 0.97),)))
    assert [(turn.label, turn.confidence) for turn in said.turns] == [("math", 0.97)]


def test_pieces_of_a_long_message_make_one_distribution():
    asked = Subject(text="q", window=512, asked=("q",)).ask(frozenset({"domain"}))
    assert answer_of(asked, Scores(domain=distribution("law"))) == distribution("law")
    assert answer_of(asked, Scores()) is None
