"""How a body becomes a decision: steps, late names, duplicates, memory that changes nothing."""

from __future__ import annotations

import json
import random
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playbook import (
    PLAIN,
    Playbook,
    body,
    by_words,
    headers,
    label_scores,
    no_scores,
    policy_of,
    scores,
)

from srd.body.body import Api, Body
from srd.decide.decision import Basis, Decision
from srd.decide.memo import Memo
from srd.exchange.deliberation import Deliberation
from srd.exchange.facts import read_headers
from srd.plugins.errors import Immediate

BLOCK_LAW = policy_of(
    PLAIN.replace(
        "modelRefs: [{model: base-model, lora_name: law-expert, use_reasoning: false}]",
        "blocking: true\n      "
        'plugins: [{type: fast_response, configuration: {message: "No law."}}]',
    ).replace("{name: thinking, ", "{name: thinking, scope: full, ")
)
COLD = policy_of(PLAIN.replace("budget_bytes", "memo: {enabled: false}, budget_bytes"))
BUDGET = 2000


def policy(**early: object):
    more = "".join(f"{name}: {str(value).lower()}, " for name, value in early.items())
    return policy_of(PLAIN.replace("early_decision: {", "early_decision: {" + more))


def deliberation(about=COLD, raw: bytes = b"", *, end: bool = False, **more: object):
    """A deliberation, its body received and read up to the first checkpoint."""
    subject = Body(Api.CHAT)
    found = Deliberation(about, read_headers(headers().headers), subject, **more)
    subject.receive(raw, end=end)
    return found, subject


def chat(*members: str) -> bytes:
    return ("{" + ",".join(members) + "}").encode()


def user(text: str) -> str:
    return f'"messages":[{{"role":"user","content":{json.dumps(text)}}}]'


# -- where evidence is judged ----------------------------------------------------------------------


def test_it_is_read_in_steps_that_end_where_something_is_settled():
    about = policy(late_model_bytes=700)
    found, subject = deliberation(about, chat(user("x" * 30_000)))
    marks = []
    while (mark := found.checkpoint()) is not None:
        marks.append(mark)
        subject.read(mark)
        found.at_checkpoint()
    assert marks == [700, BUDGET + 1, 20_000]


def test_without_parity_a_whole_body_is_read_in_one_step_but_for_its_name():
    found, subject = deliberation(COLD, chat(user("x" * 30_000)), end=True, whole=True)
    assert found.checkpoint() == BUDGET  # late_model_bytes is the budget
    subject.read()
    assert found.checkpoint() is None
    found.at_checkpoint()
    assert not found.early
    assert not found.forced


@pytest.mark.parametrize("blocks", [False, True])
def test_what_comes_in_one_message_is_read_on_where_a_rule_blocks(blocks):
    """It is here anyway, so nothing is saved by deciding a blocked prompt on half of it."""
    about = BLOCK_LAW if blocks else COLD
    found, subject = deliberation(about, chat(user("x" * 30_000)), kept=True)
    while (mark := found.checkpoint()) is not None:
        subject.read(mark)
        found.at_checkpoint()
    assert found.forced is not blocks


# -- a name that comes late ------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["1", "true", "[]", "{}"])
def test_what_is_no_name_is_refused_with_its_place(value):
    found, subject = deliberation(COLD, chat(f'"model":{value}', user("x")), end=True)
    subject.read()
    refused = found.look(0.0)
    assert isinstance(refused, Immediate)
    assert refused.status == 400
    assert b"byte 9" in refused.body


def test_an_unknown_name_is_refused_with_the_nearest_and_does_not_fill_the_log():
    name = "law-exprt" + "x" * 5000
    found, subject = deliberation(COLD, chat(f'"model":"{name}"'), end=True)
    subject.read()
    refused = found.look(0.0)
    assert isinstance(refused, Immediate)
    assert len(refused.body) < 1000
    found, subject = deliberation(COLD, chat('"model":"law-exprt"'), end=True)
    subject.read()
    refused = found.look(0.0)
    assert isinstance(refused, Immediate)
    assert b"'law-expert'" in refused.body


# -- duplicates where a rule blocks ----------------------------------------------------------------


def play_whole(about, raw: bytes, scorer=by_words):
    play = Playbook(about, scorer=scorer)
    play >> headers() >> body(raw, end=True)
    play.take()
    play.done()
    return play


SECOND = '"messages":[{"role":"user","content":"a contract? "}]'


@pytest.mark.parametrize("size", [20, 3000])
def test_every_value_of_a_duplicate_is_text_for_a_rule_that_blocks(size):
    """Also where the first one has been scored already, stage by stage."""
    raw = chat('"model":"auto"', user("the derivative " * (size // 15)), SECOND)
    play = play_whole(BLOCK_LAW, raw)
    assert play.gateway.refused is not None
    assert play.gateway.refused.status == 200
    assert play.decision.decision.name == "law_decision"
    assert bytes(play.gateway.upstream) == b""


@pytest.mark.parametrize("size", [20, 3000])
def test_the_scores_of_a_duplicate_are_not_those_of_the_first(size):
    """The first is about law and blocked by itself; nothing of it may come from the second."""
    innocent = chat('"model":"auto"', user("the derivative " * (size // 15)), SECOND).replace(
        b"a contract?", b"weather"
    )
    play = play_whole(BLOCK_LAW, innocent)
    assert play.gateway.refused is None
    assert play.decision.decision.model == "math-expert"
    left = json.loads(bytes(play.gateway.upstream), object_pairs_hook=list)
    assert [name for name, _ in left] == ["model", "messages"]


def test_where_nothing_blocks_only_the_first_is_judged():
    raw = chat('"model":"auto"', user("the derivative"), SECOND)
    play = play_whole(COLD, raw)
    assert [ask.text for ask in play.made.asks] == ["the derivative"]
    assert play.decision.decision.model == "math-expert"


# -- no question is asked for ever -----------------------------------------------------------------


@pytest.mark.parametrize("size", [100, 1900, 2500, 9000, 19_000, 40_000])
@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_each_text_is_asked_for_once(size, pieces):
    """A whole-body rule and an encoder that never is sure: stages, then the whole, then an end."""
    asked = []

    def unsure(ask):
        asked.append((ask.text, ask.window, ask.heads))
        assert len(asked) < 20
        return label_scores("other", 0.2, ask)

    raw = chat('"model":"auto"', user("what of it? " * (size // 12)))
    play = Playbook(BLOCK_LAW, scorer=unsure)
    play >> headers()
    step = len(raw) // pieces + 1
    for at in range(0, len(raw), step):
        play >> body(raw[at : at + step], end=at + step >= len(raw))
        play.take()
    play.done()
    assert play.made.decided
    assert len(asked) == len(set(asked))


def test_scores_that_nobody_asked_for_change_nothing():
    play = Playbook(COLD, scorer=None)
    play >> headers() >> body(chat('"model":"auto"', user("the derivative"))[:40])
    play >> scores("math")
    assert not play.take()
    assert not play.made.decided


@pytest.mark.parametrize("cut", [500, 1 << 20])
@pytest.mark.parametrize("say", ["think", "weather"])
def test_where_the_classifier_fails_a_rule_that_needs_none_still_reads_to_the_end(say, cut):
    """In many pieces the failure is told before the end has come, in one piece behind it."""
    guard = 'plugins: [{type: fast_response, configuration: {message: "No."}}]'
    use = "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]"
    tools = f'"tools":["{"x" * 3000}"]'
    raw = chat('"model":"auto"', user(say), tools)
    play = Playbook(policy_of(PLAIN.replace(use, guard)), scorer=None)
    play >> headers()
    for at in range(0, len(raw), cut):
        play >> body(raw[at : at + cut], end=at + cut >= len(raw))
        if at == 0 and not play.made.decided:
            play >> no_scores()
        play.take()
    play.done()
    if say == "think":
        assert play.gateway.refused.status == 200
    else:
        assert play.decision.decision.basis is Basis.FALLBACK


# -- what comes behind the moment at which the waiting ends --------------------------------------


def late_role(words: str) -> str:
    """A user message whose role, behind its long text, tells only past the cap whose it was."""
    brief = '{"role":"system","content":"Be brief."}'
    content = json.dumps(words + "x" * 25_000)
    return f'"messages":[{brief},{{"content":{content},"role":"user"}}]'


@pytest.mark.parametrize("cut", [500, 1 << 20])
def test_what_was_there_at_the_cap_decides_also_where_the_rest_came_with_it(cut):
    """The forward for what was there answers when the body has been read to its end."""
    raw = chat('"model":"auto"', late_role("the derivative "))
    play = decide(COLD, raw, cut)
    assert [ask.text for ask in play.made.asks] == ["Be brief."]
    made = play.decision.decision
    assert (made.model, made.basis) == ("base-model", Basis.BUDGET)


WAITS_FOR_TOOLS = policy_of(
    PLAIN.replace("domains:", "conversation: [{name: many, feature: "
        "{type: count, source: {type: tool_definition}}, predicate: {gte: 2}}]\n    domains:")
    .replace("{type: keyword, name: thinking}", "{type: conversation, name: many}")
    .replace("budget_bytes", "memo: {enabled: false}, budget_bytes")
)  # fmt: skip


@pytest.mark.parametrize("cut", [500, 1 << 20])
@pytest.mark.parametrize("size", [10_000, 30_000])
def test_tools_behind_the_turns_count_if_they_have_passed_by_the_cap(size, cut):
    tools = f'"tools":[{{"name":"{"x" * size}"}},{{"name":"y"}}]'
    made = decide(
        WAITS_FOR_TOOLS, chat('"model":"auto"', user("the derivative"), tools), cut
    ).decision.decision
    if size < 20_000:
        assert (made.model, made.basis) == ("general-expert", Basis.COMPLETE)
    else:
        assert (made.model, made.basis) == ("math-expert", Basis.BUDGET)


@pytest.mark.parametrize("cut", [500, 1 << 20])
def test_turns_that_closed_in_time_decide_as_such_also_where_their_scores_come_late(cut):
    raw = chat('"model":"auto"', user("the derivative"), f'"tools":["{"x" * 30_000}"]')
    made = decide(COLD, raw, cut).decision.decision
    assert (made.model, made.basis) == ("math-expert", Basis.COMPLETE)


# -- the memory ------------------------------------------------------------------------------------

WORDS = ["the derivative ", "a contract ", "think ", "nothing ", "weather ", "so "]


def conversation(rng: random.Random, front: list[str]) -> bytes:
    """One of a family that share a front and then part ways."""
    shared = "".join(front[: rng.randint(0, len(front))])
    own = "".join(rng.choice(WORDS) for _ in range(rng.choice([0, 3, 60, 300, 800])))
    text = (shared + own)[: rng.choice([10, 383, 384, 385, 1536, 3072, 9000])] or "x"
    turns = [{"role": "user", "content": text}]
    if rng.random() < 0.4:
        turns += [{"role": "assistant", "content": "so"}, {"role": "user", "content": own or "y"}]
    document = {"model": rng.choice(["auto", "auto", ""]), "messages": turns, "pad": "p" * 3000}
    members = list(document.items())
    rng.shuffle(members)
    return json.dumps(dict(members)).encode()


COST = ("bytes_read", "bytes_held", "body_bytes", "stage", "tokens_read")


def told(decision: Decision) -> Decision:
    """What may not differ: all but the basis, what it cost and where it was read."""
    nothing = {field.name: field.default for field in fields(Decision) if field.name in COST}
    return replace(decision, basis=Basis.MEMO, **nothing)


def decide(about, raw: bytes, cut: int):
    play = Playbook(about, scorer=by_words)
    play >> headers()
    for at in range(0, len(raw), cut):
        play >> body(raw[at : at + cut], end=at + cut >= len(raw))
        play.take()
    play.done()
    return play


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 6), st.sampled_from([97, 1000, 1 << 20]))
def test_a_warm_memory_never_changes_a_decision_or_its_scores(seed, many, cut):
    rng = random.Random(seed)
    front = [rng.choice(WORDS) for _ in range(400)]
    warm = replace(COLD, memo=Memo())
    for _ in range(many):
        raw = conversation(rng, front)
        cold, remembered = decide(COLD, raw, cut), decide(warm, raw, cut)
        one, other = cold.decision.decision, remembered.decision.decision
        assert told(other) == told(one)
        assert bytes(remembered.gateway.upstream) == bytes(cold.gateway.upstream)
        assert other.basis in (one.basis, Basis.MEMO)
        assert len(remembered.made.asks) <= len(cold.made.asks)


def test_a_memory_is_of_one_text_and_one_length():
    """A text that goes on differently behind a remembered front is judged by itself."""
    warm = replace(COLD, memo=Memo())
    front = "nothing " * 40
    one = decide(warm, chat('"model":"auto"', user(front + "the derivative " * 300)), 1 << 20)
    other = decide(warm, chat('"model":"auto"', user(front + "a contract " * 300)), 1 << 20)
    again = decide(warm, chat('"model":"auto"', user(front + "a contract " * 300)), 1 << 20)
    assert one.decision.decision.model == "math-expert"
    assert other.decision.decision.model == "law-expert"
    assert again.decision.decision.basis is Basis.MEMO
    assert again.decision.decision.model == "law-expert"
    assert not again.made.asks


def test_a_fallback_says_why_and_what_was_asked_for():
    found, subject = deliberation(COLD, chat('"model":"auto"', user("x")), end=True)
    subject.read()
    decision = found.fallback("internal")
    assert (decision.basis, decision.model) == (Basis.FALLBACK, "base-model")
    assert decision.fallback_reason == "internal"
    assert decision.requested_model == "auto"
    assert "<Stages at 0>" in repr(found)
