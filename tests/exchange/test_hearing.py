"""Subjects before the rules: which answers count, and what is asked."""

from __future__ import annotations

import json

import pytest
from playbook import PLAIN, by_words, headers, label_scores, policy_of

from srd.body.body import Api, Body
from srd.decide.decision import Basis
from srd.decide.engine import Final, Pending
from srd.exchange.errors import ExchangeBug
from srd.exchange.facts import read_headers
from srd.exchange.hearing import MOST_ASKS, Hearing
from srd.exchange.subject import Witness

POLICY = policy_of(PLAIN)
WITNESS = Witness(POLICY)


def hearing(*texts: str, policy=POLICY) -> tuple[Hearing, Body]:
    messages = [{"role": "user", "content": text} for text in texts]
    body = Body(Api.CHAT)
    body.receive(json.dumps({"messages": messages}).encode(), end=True)
    body.read()
    return Hearing(policy, read_headers(headers().headers), body), body


def complete(body: Body):
    return WITNESS.complete(body, whole=True, at=None)


def test_an_open_verdict_becomes_a_question_and_its_answer_a_decision():
    found, body = hearing("the derivative of x^3")
    sight = found.see(complete(body))
    assert isinstance(sight.verdict, Pending)
    assert found.wants_scores(sight)
    assert found.ask is not None
    assert found.ask.heads == {"domain"}
    found.take(by_words(found.ask))
    assert found.ask is None
    sight = found.see(complete(body))
    decision = found.conclude(sight, Basis.COMPLETE, "auto")
    assert (decision.model, decision.requested_model) == ("math-expert", "auto")
    assert decision.account is not None


def test_a_pending_verdict_concludes_nothing_and_a_final_one_asks_nothing():
    found, body = hearing("the derivative of x^3")
    with pytest.raises(ExchangeBug):
        found.conclude(found.see(complete(body)), Basis.COMPLETE, None)
    found.wants_scores(found.see(complete(body)))
    found.take(label_scores("math"))
    with pytest.raises(ExchangeBug):
        found.wants_scores(found.see(complete(body)))


def test_answers_to_another_text_are_forgotten():
    found, body = hearing("the derivative of x^3")
    found.wants_scores(found.see(complete(body)))
    found.take(label_scores("math"))
    found.turn_to(complete(body))
    assert isinstance(found.see(complete(body)).verdict, Final)
    other = WITNESS.beginning("something else")
    found.turn_to(other)
    assert found.see(other).evidence.scores is None


def test_answers_of_a_smaller_window_stay_while_they_are_confident():
    text = "the derivative of a function " * 60
    for confidence, stays in ((0.97, True), (0.6, False)):
        found, _ = hearing(text)
        small, larger = (WITNESS.stage(text, number, more=True) for number in (0, 1))
        assert small is not None
        assert larger is not None
        sight = found.see_stage(small, last=False)
        assert found.wants_scores(sight)
        found.take(label_scores("math", confidence))
        found.see_stage(small, last=False)
        assert (found.see_stage(larger, last=False).evidence.scores is not None) is stays


def test_the_turn_that_holds_is_asked_about_by_itself():
    found, body = hearing("the derivative of a polynomial", "now shorter and friendlier, please")
    found.wants_scores(found.see(complete(body)))
    assert found.ask is not None
    found.take(by_words(found.ask))
    sight = found.see(complete(body))
    assert sight.held == 0
    assert found.wants_scores(sight)
    assert found.ask.text == "the derivative of a polynomial"
    found.take(by_words(found.ask))
    sight = found.see(complete(body))
    assert found.conclude(sight, Basis.COMPLETE, None).model == "math-expert"
    assert sight.topic is not None
    assert sight.topic.turn == 0


def test_no_body_is_worth_more_than_so_many_questions():
    found, _ = hearing("x")
    for number in range(MOST_ASKS + 3):
        subject = WITNESS.beginning(f"text {number}")
        found.turn_to(subject)
        assert found.wants_scores(found.see(subject)) is (number < MOST_ASKS)
        if found.ask is not None:
            found.take(label_scores("other", 0.3))
    assert repr(found) == f"<Hearing {MOST_ASKS} asks, no ask is out>"


def test_an_answer_that_nobody_asked_for_changes_nothing():
    found, body = hearing("x")
    found.take(label_scores("math"))
    assert found.see(complete(body)).evidence.scores is None
