"""What a request knows from earlier ones, and what that does to the memo's counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playbook import PLAIN, Playbook, body, by_words, headers, policy_of

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


# -- no rule's evidence is missing in the key


WINDOWED = {
    "keyword": "keywords: [{name: r, scope: window, operator: OR, keywords: [urgent]}]",
    "keyword raw": "keywords: [{name: r, scope: window, source: raw, operator: OR, "
    "keywords: [urgent]}]",
    "domain": "domains: [{name: law, scope: window}]",
    "language": "language: [{name: de, scope: window}]",
    "context": "context: [{name: r, scope: window, min_tokens: 900}]",
    "structure": "structure: [{name: r, scope: window, feature: {type: exists, source: "
    "{type: keyword_set, keywords: [urgent]}}}]",
    "conversation": "conversation: [{name: r, scope: window, feature: {type: count, source: "
    "{type: message}}, predicate: {gt: 1}}]",
    "conversation tools": "conversation: [{name: r, scope: window, feature: {type: exists, source: "
    "{type: tool_definition}}}]",
    "metadata": "metadata: [{name: r, scope: window, key: team, predicate: {equals: red}}]",
    "event": "events: [{name: r, scope: window, event_types: [outage]}]",
    "authz": "role_bindings: [{name: r, role: r, subjects: [{kind: User, name: ann}]}]",
    "jailbreak": "jailbreak: [{name: r, scope: window}]",
    "pii": "pii: [{name: r, scope: window}]",
}


def windowed(kind: str):
    leaf = kind.split(" ")[0]
    name = {"domain": "law", "language": "de"}.get(leaf, "r")
    text = (
        PLAIN[: PLAIN.index("  signals:")]
        + f"  signals:\n    {WINDOWED[kind]}\n"
        + "  decisions:\n    - name: hit\n      priority: 9\n"
        + f"      rules: {{operator: OR, conditions: [{{type: {leaf}, name: {name}}}]}}\n"
        + "      modelRefs: [{model: base-model, lora_name: law-expert}]\n"
        + PLAIN[PLAIN.index("global:") :]
    )
    return policy_of(text)


#: What may stand beside the same first text: in front of the turns, in them, in headers.
FRONTS = ("", '"metadata":{"team":"red"},', '"metadata":{"team":"blue"},', '"max_tokens":900,')
TOOLS = ("", '"tools":[{"type":"function","function":{"name":"f"}}],')
BEFORE = ("", '{"role":"system","content":"s"},', '{"role":"assistant","content":"a"},')
TEXTS = ("urgent " * 300, "a contract " * 300, "das ist ein Vertrag " * 300, "outage " * 300)
USERS = ({}, {"x-authz-user-id": "ann"}, {"x-authz-user-id": "bob"})


def answer(ask):
    scores = by_words(ask)
    return replace(scores, jailbreak=0.9 if "urgent" in ask.text else 0.1, pii=())


def decided(policy, front: str, tools: str, before: str, text: str, user: dict[str, str]):
    body_ = f'{{{front}{tools}"messages":[{before}{{"role":"user","content":"{text}"}}]}}'.encode()
    play = Playbook(policy, "envoy", scorer=answer)
    play >> headers(extra=user)
    play >> body(body_, end=True)
    play.take()
    return play.decision.decision


@pytest.mark.parametrize("kind", WINDOWED)
@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            *map(st.sampled_from, (FRONTS, TOOLS, BEFORE, TEXTS, USERS)),
        ),
        min_size=2,
        max_size=5,
    )
)
def test_a_warm_memory_decides_as_a_cold_one_whatever_a_rule_reads(kind, requests):
    policy = windowed(kind)
    assert policy.memo is not None
    for request in requests:
        warm = decided(policy, *request)
        cold = decided(replace(policy, memo=None), *request)
        assert (warm.model, warm.name) == (cold.model, cold.name)
