"""What only the model that made it can read, where the document says that it goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playbook import (
    PLAIN,
    body,
    chunks,
    header_reply,
    headers,
    nothing,
    policy_of,
    timer,
    whole,
)

from srd.decide.memo import Memo
from srd.exchange.commands import NoteKind
from srd.exchange.events import BodyMode, Timer

DROPS = policy_of(PLAIN + "    conversation_hold: {pins: drop}\n")
BUFFERED = BodyMode.BUFFERED

THOUGHT = b'{"type":"thinking","thinking":"hm","signature":"c2ln"}'
TEXT = b'{"type":"text","text":"so"}'
CALL = b'{"type":"tool_use","id":"t","name":"n","input":{}}'
RESULT = b'{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"o"}]}'
MATH = b'{"role":"user","content":"the derivative of x"}'
LAW = b'{"role":"user","content":"is this contract void by law?"}'


def turn(*parts):
    return b'{"role":"assistant","content":[' + b",".join(parts) + b"]}"


def request(*turns, model=b"auto"):
    return b'{"model":"' + model + b'","messages":[' + b",".join(turns) + b"]}"


@pytest.fixture
def drops(play):
    def make(**options):
        options.setdefault("policy", replace(DROPS, memo=Memo()))
        return play(**options)

    return make


def went(played):
    return [n.detail for n in played.made.notes if n.kind is NoteKind.DROPPED_BOUND]


MOVED = (MATH, turn(THOUGHT, TEXT), LAW, turn(THOUGHT, CALL), RESULT)
LEFT = (MATH, turn(TEXT), LAW, turn(THOUGHT, CALL), RESULT)


def test_earlier_turns_lose_theirs_and_the_tool_loop_at_hand_keeps_its_own(drops):
    p = drops()
    p >> headers("/v1/messages") << nothing
    p >> body(request(*MOVED), end=True) << header_reply(model="law-expert")
    p << chunks(request(*LEFT, model=b"law-expert"), end=True)
    p.done()
    assert went(p) == ["thinking"]


def test_buffered_sends_the_same(drops):
    p = drops(mode=BUFFERED)
    p >> headers("/v1/messages") << header_reply()
    p >> body(request(*MOVED), end=True) << whole(request(*LEFT, model=b"law-expert"))
    p.done()
    assert went(p) == ["thinking"]


def test_a_named_model_keeps_its_own(drops):
    data = request(*MOVED, model=b"law-expert")
    p = drops()
    p >> headers("/v1/messages") << nothing
    p >> body(data, end=True) << header_reply(model="law-expert")
    p << chunks(data, end=True)
    p.done()
    assert went(p) == []


def test_past_the_budget_only_what_was_made_before_it_goes(drops):
    long = b'{"role":"user","content":"' + b"word " * 600 + b'"}'
    turns = (MATH, turn(THOUGHT, TEXT), long, turn(THOUGHT, TEXT), LAW)
    left = (MATH, turn(TEXT), long, turn(THOUGHT, TEXT), LAW)
    p = drops()
    p >> headers("/v1/messages") << nothing
    p >> body(request(*turns), end=True) << header_reply(model="math-expert")
    p << chunks(request(*left, model=b"math-expert"), end=True)
    p.done()
    assert went(p) == ["thinking"]


def test_a_decision_that_time_forced_takes_them_all(drops):
    data = request(*MOVED, LAW)
    head, tail = data[:500], data[500:]
    p = drops()
    p >> headers("/v1/messages") << nothing
    p >> body(head) << nothing
    p >> timer(Timer.DEADLINE)
    taken = p.take()
    p >> body(tail, end=True)
    p.take()
    expected = request(MATH, turn(TEXT), LAW, turn(CALL), RESULT, LAW, model=b"base-model")
    p.done(upstream=expected)
    assert taken
