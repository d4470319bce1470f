"""Whatever breaks, no byte is lost."""

from __future__ import annotations

import pkgutil

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

from srd.body.body import Api, Body, Unsendable
from srd.exchange.commands import NoteKind
from srd.exchange.deliberation import Deliberation
from srd.exchange.events import BodyMode, Timer

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


def test_089_a_scanner_that_breaks_after_the_header_reply_ends_the_stream_visibly(
    play, monkeypatch
):
    """The driver makes INTERNAL of it; what left is the front of what was decided, unended."""
    p = play()
    p >> headers() >> body(BIG[:2001])
    p.take()
    fault = RuntimeError("injected")

    def broken(*args: object, **kwargs: object) -> object:
        raise fault

    monkeypatch.setattr("srd.body.splice.Splicer.feed", broken)
    with pytest.raises(RuntimeError) as raised:
        p >> body(BIG[2001:3000])
    assert raised.value is fault
    monkeypatch.undo()
    with pytest.raises(Unsendable):
        p >> body(BIG[3000:], end=True)
    p >> reset() << nothing
    assert not p.gateway.ended
    routed = BIG.replace(b"auto", b"math-expert")
    assert bytes(p.gateway.upstream) == routed[: len(p.gateway.upstream)]
    assert len(p.gateway.upstream) < len(routed)


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
    assert p.decision.decision.basis == "fallback"
    assert faults(p) == ["RuntimeError"]


def faults(p) -> list[str]:
    """The faults that were noted, each with its exception for the traceback."""
    notes = [note for note in p.made.notes if note.kind is NoteKind.FAULT]
    assert all(isinstance(note.error, BaseException) for note in notes)
    return [note.detail for note in notes]


@pytest.mark.parametrize("point", ["plan", "body", "headers"])
def test_089_a_bug_in_carrying_out_a_decision_gives_the_default_model(play, monkeypatch, point):
    """One story in headers, body and record: never the decision beside a body with `auto`."""
    wanted = "math-expert"

    def spoil(name: str, tells) -> None:
        owner, _, method = name.rpartition(".")
        where = pkgutil.resolve_name(owner)
        real = getattr(where, method)

        def broken(*args: object, **kwargs: object) -> object:
            if tells(*args):
                raise MemoryError
            return real(*args, **kwargs)

        monkeypatch.setattr(where, method, broken)

    if point == "plan":
        spoil("srd.exchange.settlement.plan", lambda decision, *_: decision.model == wanted)
    elif point == "body":
        spoil("srd.body.body:BodyEdits.__init__", lambda _, rewrite, *__: rewrite.model == wanted)
    else:
        spoil("srd.exchange.modes._committed", lambda _, what, *__: what.rewrite.model == wanted)
    p = play()
    p >> headers() >> body(MATH, end=True)
    p << [header_reply("base-model"), chunks(DEFAULT, end=True)]
    p.done(DEFAULT)
    (decided,) = p.made.decided
    assert (decided.decision.basis, decided.decision.model) == ("fallback", "base-model")
    assert faults(p) == ["MemoryError"]


def test_089_where_not_even_the_default_model_can_be_carried_out_it_is_a_500(play, monkeypatch):
    def broken(*args: object, **kwargs: object) -> object:
        raise RuntimeError("injected")

    monkeypatch.setattr("srd.exchange.settlement.plan", broken)
    p = play()
    p >> headers() >> body(MATH, end=True) << refused(500)
    assert faults(p) == ["RuntimeError", "RuntimeError"]
    assert not p.made.decided
    p.done(b"")


@pytest.mark.parametrize("mode", BodyMode)
def test_089_a_fault_while_the_headers_are_read_is_a_500(play, monkeypatch, mode):
    def broken(*args: object, **kwargs: object) -> object:
        raise MemoryError

    monkeypatch.setattr("srd.exchange.request.read_headers", broken)
    p = play(mode=None if mode is BodyMode.UNKNOWN else mode)
    p >> headers() << refused(500)
    assert faults(p) == ["MemoryError"]
    p.done(b"")


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
    assert p.decision.decision.basis == "pressure"
    p >> body(MATH[75:], end=True)
    p.take()
    p.done(MATH.replace(b"auto", b"math-expert"))


def test_the_time_budget_of_a_large_body_decides_on_what_is_known(play):
    p = play(scorer=None)
    p >> headers() >> body(BIG[:2200])
    assert p.made.timers[Timer.BUDGET] == pytest.approx(0.5)
    p >> timer(Timer.BUDGET)
    assert p.take()[0].header("x-selected-model") == b"base-model"
    assert p.decision.decision.basis == "budget"
    p >> body(BIG[2200:], end=True)
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
