"""Protocol reference 5.9: whatever breaks, no byte is lost."""

from __future__ import annotations

import pytest
from playbook import (
    PLAIN,
    body,
    chunks,
    header_reply,
    headers,
    no_scores,
    nothing,
    policy_of,
    pressure,
    refused,
    reset,
    scores,
    timer,
)

from srd.body.body import Api, Body
from srd.exchange.deliberation import Deliberation
from srd.exchange.events import Timer

TEXT = b"the derivative of x^3? " * 300
BIG = b'{"model":"auto","messages":[{"role":"user","content":"' + TEXT + b'"}]}'
MATH = b'{"model":"auto","messages":[{"role":"user","content":"the derivative of x^3?"}]}'
DEFAULT = MATH.replace(b"auto", b"base-model")


@pytest.mark.parametrize("failure", [no_scores("classifier_error"), timer(Timer.CLASSIFY)])
def test_087_088_without_scores_the_default_model_gets_the_whole_body(play, failure):
    p = play(scorer=None)
    p >> headers() >> body(MATH, end=True) << nothing
    p >> failure << [header_reply("base-model"), chunks(DEFAULT, end=True)]
    p.done(DEFAULT)
    decision = p.decision.decision
    assert decision.basis == "fallback"
    assert decision.fallback_reason


def test_088_a_late_answer_changes_nothing(play):
    p = play(scorer=None)
    p >> headers() >> body(MATH, end=True) >> timer(Timer.CLASSIFY)
    p.take()
    p >> scores("math") << nothing
    p.done(DEFAULT)


def test_089_a_scanner_that_breaks_after_the_header_reply_costs_no_byte(play, monkeypatch):
    p = play()
    p >> headers() >> body(BIG[:2001])
    p.take()
    scanner = p.exchange.request._body._scanner

    def broken(*args: object, **kwargs: object) -> object:
        raise RuntimeError("injected")

    for name in ("feed", "skip", "finish"):
        if hasattr(scanner, name):
            monkeypatch.setattr(type(scanner), name, broken)
    for at in range(2001, len(BIG), 1000):
        p >> body(BIG[at : at + 1000], end=at + 1000 >= len(BIG))
        p.take()
    p.done(BIG.replace(b"auto", b"math-expert"))


def test_089_a_bug_in_the_deliberation_falls_back_before_the_header_reply(play, monkeypatch):
    def broken(*args: object, **kwargs: object) -> object:
        raise RuntimeError("injected")

    monkeypatch.setattr(Deliberation, "_see", broken)
    p = play()
    (
        p
        >> headers()
        >> body(MATH, end=True)
        << [header_reply("base-model"), chunks(DEFAULT, end=True)]
    )
    p.done(DEFAULT)


@pytest.mark.parametrize("point", ["plan"])
def test_089_a_bug_in_the_plan_delivers_the_body_unedited(play, monkeypatch, point):
    def broken(*args: object, **kwargs: object) -> object:
        raise RuntimeError("injected")

    monkeypatch.setattr(f"srd.exchange.request.{point}", broken)
    p = play()
    p >> headers() >> body(MATH, end=True)
    p.take()
    p.done(MATH)


@pytest.mark.parametrize("steps", range(5))
def test_090_a_reset_in_every_state_ends_quietly(play, steps):
    p = play(scorer=None)
    moves = [headers(), body(BIG[:100]), body(BIG[100:2500]), scores("math"), body(BIG[2500:3000])]
    for move in moves[:steps]:
        p >> move
        p.take()
    p >> reset() << nothing
    p.done()


def test_093_a_stalled_upload_is_decided_on_what_is_known(play):
    p = play(scorer=None)
    p >> headers() >> body(MATH[:70]) << nothing
    p >> timer(Timer.IDLE)
    first, *_ = p.take()
    assert first.kind == "request_headers"
    assert p.decision.decision.basis == "timeout"
    p >> body(MATH[70:], end=True)
    p.take()
    p.done(DEFAULT)


@pytest.mark.parametrize("which", [Timer.IDLE, Timer.DEADLINE])
def test_093_a_stall_with_nothing_known_is_a_408(play, which):
    p = play()
    p >> headers() << nothing
    p >> timer(which) << refused(408)


@pytest.mark.parametrize("which", [Timer.IDLE, Timer.DEADLINE, Timer.BUDGET])
def test_093_a_request_that_flows_is_left_alone(play, which):
    p = play()
    p >> headers() >> body(BIG[:2500])
    p.take()
    p >> timer(which) << nothing
    p >> body(BIG[2500:], end=True) << chunks(BIG[2500:], end=True)
    p.done(BIG.replace(b"auto", b"math-expert"))


def test_101_what_is_held_is_bounded_by_the_cap(play):
    """Nothing to read (a system prompt without end): decided at max_held_bytes."""
    raw = b'{"model":"auto","messages":[{"role":"system","content":"' + b"s" * 90_000
    p = play()
    p >> headers()
    for at in range(0, len(raw), 1000):
        p >> body(raw[at : at + 1000])
        p.take()
    assert p.decision.decision.basis == "budget"
    assert p.decision.decision.bytes_read == 20_000
    assert p.most_held <= 20_000
    p >> body(b'"}]}', end=True)
    p.take()
    p.done((raw + b'"}]}').replace(b"auto", p.decision.decision.model.encode(), 1))


def test_102_reading_pauses_while_the_cap_is_reached_and_scores_are_out(play):
    raw = b'{"model":"auto","messages":[{"role":"user","content":"' + b"s " * 20_000
    late = PLAIN.replace("budget_bytes: 2000", "budget_bytes: 50000")
    p = play(policy=policy_of(late), scorer=None)
    p >> headers() >> body(raw[:19_999]) << nothing
    assert not p.exchange.full
    p >> body(raw[19_999:20_000]) << nothing
    assert p.exchange.full
    p >> scores("other", 0.5)
    p.take()
    assert not p.exchange.full


def test_pressure_decides_early_and_fails_nothing(play):
    p = play(scorer=None)
    p >> headers() >> body(MATH[:75]) << nothing
    p >> pressure() << nothing
    p >> scores("math")
    assert p.take()[0].header("x-selected-model") == b"math-expert"
    assert p.decision.decision.basis == "budget"
    p >> body(MATH[75:], end=True)
    p.take()
    p.done(MATH.replace(b"auto", b"math-expert"))


def test_the_time_budget_of_a_large_body_decides_on_what_is_known(play):
    p = play(scorer=None)
    p >> headers(extra={"content-length": "900000"}) >> body(BIG[:200]) << nothing
    assert p.made.timers[Timer.BUDGET] == pytest.approx(0.5)
    p >> timer(Timer.BUDGET)
    assert p.take()[0].header("x-selected-model") == b"base-model"
    assert p.decision.decision.basis == "budget"
    p >> body(BIG[200:], end=True)
    p.take()
    p.done(BIG.replace(b"auto", b"base-model"))


def test_without_a_default_model_an_undecided_request_is_refused_cleanly(play):
    text = PLAIN.replace("    default_model: base-model\n", '    default_model: ""\n')
    p = play(policy=policy_of(text), scorer=None)
    p >> headers() >> body(MATH, end=True) >> no_scores()
    (reply,) = p.take()
    assert reply.status in (400, 503)


def test_a_body_knows_its_own_books():
    assert Body(Api.CHAT).held == 0
