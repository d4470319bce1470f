"""A conversation's prefix decides once, and turn two is free and the same."""

from __future__ import annotations

import json

import pytest
from playbook import CONFIG, PLAIN, body, headers, policy_of


def turn(*messages: tuple[str, str]) -> bytes:
    return json.dumps(
        {"model": "auto", "messages": [{"role": r, "content": c} for r, c in messages]}
    ).encode()


LONG = "the derivative of x^3? " * 200


def run(play, policy, raw: bytes):
    p = play(policy=policy)
    p >> headers() >> body(raw, end=True)
    p.take()
    p.done()
    return p


def test_turn_two_is_remembered_and_asks_nothing(play):
    policy = policy_of(PLAIN)
    one = run(play, policy, turn(("user", LONG)))
    two = run(play, policy, turn(("user", LONG), ("assistant", "3x²"), ("user", "a contract?")))
    assert (one.decision.decision.basis, two.decision.decision.basis) == ("early", "memo")
    assert two.decision.decision.model == one.decision.decision.model == "math-expert"
    assert one.made.asks
    assert not two.made.asks


def test_another_configuration_remembers_nothing_of_the_old_one(play):
    policy = policy_of(PLAIN)
    run(play, policy, turn(("user", LONG)))
    from srd.exchange.policy import build_policy

    newer = build_policy(policy.document, None, generation=1, memo=policy.memo)
    assert run(play, newer, turn(("user", LONG))).decision.decision.basis == "early"


@pytest.mark.parametrize("conversation", ["hold", "last_message"])
def test_a_small_body_is_decided_by_its_last_user_message(play, conversation):
    policy = policy_of(
        PLAIN.replace("  router:\n", f"  router:\n    conversation: {conversation}\n")
    )
    raw = turn(("user", "the derivative?"), ("assistant", "3x²"), ("user", "a contract of sale?"))
    one = run(play, policy, raw)
    assert one.decision.decision.basis == "complete"
    assert one.decision.decision.model == "law-expert"


def test_the_memo_can_be_switched_off(play):
    policy = policy_of(CONFIG.replace("budget_bytes", "memo: {enabled: false}, budget_bytes"))
    run(play, policy, turn(("user", LONG)))
    assert run(play, policy, turn(("user", LONG))).decision.decision.basis == "early"


def test_a_fallback_is_not_remembered(play):
    from playbook import no_scores

    policy = policy_of(PLAIN)
    p = play(policy=policy, scorer=None)
    p >> headers() >> body(turn(("user", LONG)), end=True) >> no_scores()
    p.take()
    assert run(play, policy, turn(("user", LONG))).decision.decision.basis == "early"
