"""Which text decides, and when: agents, pictures, conversations, rules that block."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from playbook import (
    PLAIN,
    body,
    by_words,
    chunks,
    headers,
    label_scores,
    no_scores,
    nothing,
    policy_of,
    pressure,
    refused,
    scores,
    timer,
)

from srd.classify.api import SegmentScores
from srd.exchange.commands import NoteKind
from srd.exchange.events import BodyMode, Timer

KEYWORD = "conditions: [{type: keyword, name: thinking}]"
REMINDER = (
    "<system-reminder>" + "Mind the contract of this repository. " * 20 + "</system-reminder>"
)
TOOLS = (
    ',"tools":[' + ",".join('{"name":"f","description":"%s"}' % ("d" * 90) for _ in range(60)) + "]"
)


def turns(*messages: object) -> bytes:
    return ('{"model":"auto","messages":' + json.dumps(list(messages))).encode()


def user(*texts: str) -> dict[str, object]:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def model(p) -> tuple[str, str]:
    made = p.decision.decision
    return made.model, str(made.basis)


# -- when


def test_an_agents_question_decides_before_its_tools_have_come(play):
    p = play()
    raw = turns(user(REMINDER, "What is the derivative of x^3?"))
    p >> headers() >> body(raw[:-1]) << nothing
    p >> body(raw[-1:])
    p.take()
    assert model(p) == ("math-expert", "complete")
    rest = (TOOLS + "}").encode()
    p >> body(rest, end=True) << chunks(rest, end=True)
    p.done()


def test_a_rule_over_tools_waits_for_them(play):
    rule = "feature: {type: exists, source: {type: tool_definition}}"
    text = PLAIN.replace(
        "    domains:", f"    conversation: [{{name: tools, {rule}}}]\n    domains:"
    ).replace(KEYWORD, "conditions: [{type: conversation, name: tools}]")
    p = play(policy=policy_of(text))
    p >> headers() >> body(turns(user("What is the derivative of x^3?"))) << nothing
    p >> body((TOOLS + "}").encode(), end=True)
    p.take()
    assert model(p) == ("general-expert", "complete")


def test_a_plan_that_must_know_a_parameter_waits_until_it_may_have_come(play):
    """`reasoning_effort` stands behind the turns: it is the client's own where thinking is off."""
    text = PLAIN.replace(
        "    - name: base-model\n      backend_refs",
        "    - name: base-model\n      reasoning_family: oss\n      backend_refs",
    ).replace(
        "    default_model: base-model\n",
        "    default_model: base-model\n    reasoning_families:\n"
        "      oss: {type: reasoning_effort, parameter: reasoning_effort}\n",
    )
    law = turns(user("Is a contract binding?"))
    for behind in (b',"reasoning_effort":"high"}', b"}"):
        p = play(policy=policy_of(text))
        p >> headers() >> body(law) << nothing
        p >> body(behind, end=True)
        p.take()
        left = json.loads(bytes(p.gateway.upstream))
        wanted = "high" if b"high" in behind else "low"
        assert left["chat_template_kwargs"] == {"reasoning_effort": wanted}


@pytest.mark.parametrize("mode", [BodyMode.FULL_DUPLEX_STREAMED, BodyMode.BUFFERED])
def test_a_picture_in_front_of_the_question_changes_nothing(play, mode):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 60_000}}
    raw = turns({"role": "user", "content": [picture, {"type": "text", "text": "the derivative?"}]})
    p = play(mode=mode)
    p >> headers()
    p.take()
    p >> body(raw + b"}", end=True)
    p.take()
    assert model(p) == ("math-expert", "complete")


def test_past_the_budget_the_first_human_text_decides_however_late_it_comes(play):
    raw = turns(
        user(REMINDER * 4, "What is the derivative of x^3? " * 20), user("a contract " * 300)
    )
    p = play()
    p >> headers() >> body(raw + b"}", end=True)
    p.take()
    assert model(p) == ("math-expert", "early")
    assert p.made.asks[0].text.startswith("What is the derivative")


# -- conversations


def talk(*texts: str) -> bytes:
    messages: list[object] = []
    for text in texts:
        messages += [user(text), {"role": "assistant", "content": "Well."}]
    return turns(*messages[:-1]) + b"}"


MATH_TALK = ("the derivative of a polynomial", "now shorter and friendlier, please", "commit it")


def test_a_conversation_keeps_its_subject_and_its_decision(play):
    for count in range(1, len(MATH_TALK) + 1):
        p = play()
        p >> headers() >> body(talk(*MATH_TALK[:count]), end=True)
        p.take()
        assert model(p) == ("math-expert", "complete")


def test_a_changed_subject_is_followed(play):
    p = play()
    p >> headers() >> body(talk(*MATH_TALK, "is a verbal contract of sale binding"), end=True)
    p.take()
    assert model(p) == ("law-expert", "complete")


def test_a_signed_thought_pins_the_conversation_to_what_decided_then(play):
    thought = {"type": "thinking", "thinking": "t", "signature": "s"}
    raw = turns(
        user("the derivative of a polynomial"),
        {"role": "assistant", "content": [thought]},
        user("is a verbal contract of sale binding"),
    )
    for pins, wanted in (("hold", "math-expert"), ("drop", "law-expert")):
        router = f"  router:\n    conversation_hold: {{pins: {pins}}}\n"
        p = play(policy=policy_of(PLAIN.replace("  router:\n", router)))
        p >> headers(path="/v1/messages") >> body(raw + b"}", end=True)
        p.take()
        assert model(p)[0] == wanted


# -- rules that block


def guarded(more: str = "", router: str = "", plugins: str = ""):
    text = PLAIN.replace("    domains:", f"    jailbreak: [{{name: attack{more}}}]\n    domains:")
    text = text.replace(
        "conditions: [{type: keyword, name: thinking}]",
        "conditions: [{type: jailbreak, name: attack}]",
    )
    text = text.replace(
        "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]",
        'plugins: [{type: fast_response, configuration: {message: "No."}}]',
    )
    return replace(policy_of(text.replace("  router:\n", f"  router:\n{router}")), memo=None)


def judge(ask):
    """A stand-in for the guard: the word."""
    found = [0.97 if "attack" in text else 0.01 for text in ask.segments]
    return replace(by_words(ask), segments=tuple(SegmentScores(jailbreak=each) for each in found))


def test_where_a_rule_blocks_a_body_is_held_to_its_end(play):
    raw = turns(user("the derivative " * 300), user("attack")) + TOOLS.encode() + b"}"
    p = play(policy=guarded(), scorer=judge)
    p >> headers()
    for at in range(0, len(raw) - 100, 1000):
        p >> body(raw[at : at + 1000]) << nothing
    p = play(policy=guarded(), scorer=judge)
    p >> headers() >> body(raw, end=True) << refused(200)


def test_a_harmless_body_is_routed_as_ever(play):
    p = play(policy=guarded(), scorer=judge)
    p >> headers() >> body(turns(user(REMINDER, "the derivative?")) + b"}", end=True)
    p.take()
    assert model(p) == ("math-expert", "complete")


@pytest.mark.parametrize(
    "router", ["", "    blocking: {on_error: allow}\n", "    blocking: {mode: observe}\n"]
)
@pytest.mark.parametrize("why", ["scores", "pressure", "deadline"])
def test_what_could_not_be_evaluated_is_refused_unless_the_operator_says_otherwise(
    play, why, router
):
    raw = turns(user("the derivative?")) + b"}"
    p = play(policy=guarded(router=router), scorer=None)
    p >> headers()
    if why == "scores":
        p >> body(raw, end=True) << nothing
        p >> no_scores()
    else:
        p >> body(raw[:-9]) << nothing
        p >> (pressure() if why == "pressure" else timer(Timer.DEADLINE))
    if not router:
        p << refused(503)
        assert b"policy_unanswered" in p.gateway.refused.body
        return
    if why == "pressure":
        p >> scores(label_scores("math"))
    p.take()
    assert p.decision.decision.model


def test_a_named_model_waits_for_the_rules_that_block_where_it_should(play):
    raw = turns(user("attack")).replace(b'"auto"', b'"law-expert"') + b"}"
    p = play(policy=guarded(), scorer=judge)
    p >> headers() >> body(raw, end=True)
    p.take()
    assert model(p) == ("law-expert", "explicit")
    policy = guarded(router="    blocking_applies_to: all\n")
    p = play(policy=policy, scorer=judge)
    p >> headers() >> body(raw, end=True) << refused(200)
    p = play(policy=policy, scorer=judge)
    p >> headers() >> body(raw.replace(b"attack", b"hello!"), end=True)
    p.take()
    assert model(p) == ("law-expert", "explicit")


def test_more_than_is_held_for_one_request_is_refused_where_a_rule_blocks(play):
    limits = "    limits: {max_request_bytes_held: 30000}\n"
    raw = turns(user("a" * 40_000)) + b"}"
    p = play(policy=guarded(router=limits), scorer=judge)
    p >> headers() >> body(raw, end=True) << refused(413)


def test_token_ids_are_refused_where_a_rule_blocks(play):
    raw = b'{"model":"auto","prompt":[1,2,3]}'
    p = play(policy=guarded(), scorer=judge)
    p >> headers(path="/v1/completions") >> body(raw, end=True) << refused(415)
    p = play()
    p >> headers(path="/v1/completions") >> body(raw, end=True)
    p.take()
    assert p.decision.decision.model == "base-model"


def test_a_fault_of_ours_is_no_way_past_a_rule_that_blocks(play, monkeypatch):
    policy = guarded()

    def fails(*args, **more):
        raise MemoryError

    monkeypatch.setattr(type(policy.router.engine), "judge", fails)
    p = play(policy=policy, scorer=judge)
    p >> headers() >> body(turns(user("the derivative?")) + b"}", end=True) << refused(503)
    assert NoteKind.FAULT in {note.kind for note in p.made.notes}
    p = play(policy=replace(policy_of(PLAIN), memo=None))
    p >> headers() >> body(turns(user("the derivative?")) + b"}", end=True)
    p.take()
    assert model(p) == ("base-model", "fallback")
