"""What a request knows from earlier ones, and what that does to the memo's counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playbook import PLAIN, Playbook, body, headers, policy_of

from srd.decide.decision import Basis
from srd.decide.memo import Memo
from srd.exchange.facts import read_headers
from srd.exchange.memory import Memory

POLICY = policy_of(PLAIN)
FACTS = read_headers(headers().headers)


def memory(memo: Memo | None) -> Memory:
    return Memory(replace(POLICY, memo=memo), FACTS)


def decision():
    return POLICY.router.fallback("x")


def test_a_decision_is_recalled_by_a_later_request_and_says_so():
    memo = Memo()
    first, second = memory(memo), memory(memo)
    key = first.key(0, "text", last=True)
    assert first.recall(key, 0.0) is None
    assert first.remember(key, decision(), 0.0) == decision()
    known = second.recall(second.key(0, "text", last=True), 1.0)
    assert known is not None
    assert known.basis is Basis.MEMO


@pytest.mark.parametrize(
    ("stage", "text", "last"), [(1, "a", True), (0, "b", True), (0, "a", False)]
)
def test_other_evidence_has_another_key(stage, text, last):
    subject = memory(Memo())
    assert subject.key(stage, text, last=last) != subject.key(0, "a", last=True)


def test_another_configuration_has_other_keys():
    other = Memory(replace(POLICY, generation=1), FACTS)
    assert other.key(0, "a", last=True) != memory(None).key(0, "a", last=True)


def test_stages_that_concluded_nothing_are_known_once_a_later_one_has():
    memo = Memo()
    first = memory(memo)
    first.passes(b"stage")
    assert not memory(memo).was_passed(b"stage", 0.0)
    first.remember(b"final", decision(), 0.0)
    assert memory(memo).was_passed(b"stage", 1.0)
    assert not memory(memo).was_passed(b"final", 1.0)
    assert memory(memo).recall(b"stage", 1.0) is None  # it is no decision


def test_without_a_memo_nothing_is_known_and_nothing_fails():
    subject = memory(None)
    subject.passes(b"stage")
    assert subject.remember(b"final", decision(), 0.0) == decision()
    assert subject.recall(b"final", 0.0) is None
    assert not subject.was_passed(b"stage", 0.0)


def test_a_remembered_request_is_one_hit_of_the_memo_however_many_stages_it_passed():
    memo = Memo()
    policy = replace(POLICY, memo=memo)
    text = b"nothing " * 300 + b"the derivative " * 300
    raw = b'{"model":"auto","messages":[{"role":"user","content":"' + text + b'"}]}'
    counts = []
    for _ in range(2):
        before = memo.statistics()
        play = Playbook(policy)
        play >> headers() >> body(raw, end=True)
        play.take()
        after = memo.statistics()
        counts.append((after.hits - before.hits, len(play.made.asks)))
    (hits, asks), remembered = counts
    assert hits == 0
    assert asks > 1  # stages, of which all but the last concluded nothing
    assert remembered == (1, 0)
