"""A beginning, judged in growing windows."""

from __future__ import annotations

from dataclasses import replace

from playbook import PLAIN, headers, label_scores, policy_of

from srd.body.body import Api, Body
from srd.decide.decision import Basis
from srd.decide.memo import Memo
from srd.exchange.facts import read_headers
from srd.exchange.hearing import Hearing
from srd.exchange.memory import Memory
from srd.exchange.stages import Stages
from srd.exchange.subject import Witness

TEXT = "the derivative of a function " * 200


def stages(policy=None) -> tuple[Stages, Hearing]:
    about = policy or replace(policy_of(PLAIN), memo=None)
    facts = read_headers(headers().headers)
    hearing = Hearing(about, facts, Body(Api.CHAT))
    return Stages(about, Witness(about), hearing, Memory(about, facts)), hearing


def look(found: Stages, text: str = TEXT, *, more: bool = True):
    return found.look(text, more=more, requested="auto", now=0.0)


#: Without the keyword rule, which waits for the window to be full of text.
DOMAINS = PLAIN.replace("{type: keyword, name: thinking}", "")


def test_a_stage_waits_for_its_text_and_then_for_its_scores():
    found, hearing = stages(replace(policy_of(DOMAINS), memo=None))
    assert look(found, "the") is None
    assert hearing.ask is None
    assert look(found) is None
    assert hearing.ask is not None
    assert hearing.ask.window == 64
    hearing.take(label_scores("math"))
    decision = look(found)
    assert decision is not None
    assert (decision.model, decision.basis) == ("math-expert", Basis.EARLY)
    assert repr(found) == "<Stages at 0>"


def test_a_doubtful_answer_makes_the_window_grow_to_the_last():
    found, hearing = stages(replace(policy_of(DOMAINS), memo=None))
    windows = []
    while look(found) is None and hearing.ask is not None:
        windows.append(hearing.ask.window)
        hearing.take(label_scores("math", 0.6))
    assert windows == [64, 128, 256, 512]


def test_where_no_window_can_tell_only_the_end_can():
    full = PLAIN.replace("{name: thinking, ", "{name: thinking, scope: full, ")
    found, hearing = stages(replace(policy_of(full), memo=None))
    assert look(found) is None
    hearing.take(label_scores("math"))
    assert look(found) is None
    assert found.through
    assert repr(found).endswith("through>")
    assert look(found) is None


def test_a_decision_is_remembered_and_what_concluded_nothing_too():
    about = replace(policy_of(DOMAINS), memo=Memo())
    found, hearing = stages(about)
    look(found)
    hearing.take(label_scores("math", 0.6))
    look(found)
    hearing.take(label_scores("math"))
    assert look(found) is not None
    again, hearing = stages(about)
    known = look(again)
    assert known is not None
    assert known.basis is Basis.MEMO
    assert hearing.ask is None
