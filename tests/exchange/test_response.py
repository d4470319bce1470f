"""The response half alone: its table, its answers in each mode, and what it observes."""

from __future__ import annotations

import gzip
import itertools
import json

import pytest
from playbook import headers as request

from srd.body.usage import UsageReader
from srd.decide.decision import Basis, Decision
from srd.exchange.commands import (
    Noted,
    NoteKind,
    Observed,
    ReplyBody,
    ReplyChunk,
    ReplyHeaders,
    ReplyTrailers,
)
from srd.exchange.errors import GatewayProtocolError
from srd.exchange.events import BodyArrived, BodyMode, HeadersArrived, PeerEnded, TrailersArrived
from srd.exchange.facts import read_headers
from srd.exchange.response import LEGAL, MUTATIONS, ResponseHalf, ResponseState, Rule

DECISION = Decision(model="m", requested_model="auto", basis=Basis.COMPLETE, name="d")
OURS = read_headers(request().headers)
ELSEWHERE = read_headers(request("/healthz", "GET").headers)
AGENTGATEWAY = read_headers(request().headers[::-1])
MODES = tuple(BodyMode)
USAGE = b'{"model":"m","usage":{"prompt_tokens":7,"completion_tokens":3}}'


def half(mode=BodyMode.FULL_DUPLEX_STREAMED):
    return ResponseHalf(mode, BodyMode.FULL_DUPLEX_STREAMED)


def fields(status=200, kind="application/json", **more):
    found = {":status": str(status), "content-type": kind, **more}
    return tuple((name.replace("_", "-"), value.encode()) for name, value in found.items())


def observed(commands):
    (found,) = [command for command in commands if isinstance(command, Observed)]
    return found


def answers(commands):
    return [command for command in commands if not isinstance(command, Observed | Noted)]


SENDS = {
    HeadersArrived: lambda h: h.headers(fields(), False, OURS, DECISION),
    BodyArrived: lambda h: h.body(b"x", False),
    TrailersArrived: lambda h: h.trailers(),
    PeerEnded: lambda h: h.close(),
}


def in_state(state):
    found = half()
    if state is not ResponseState.WAITING:
        found.headers(fields(), state is ResponseState.DONE, OURS, DECISION)
    if state is ResponseState.CLOSED:
        found.close()
    assert found.state is state
    return found


@pytest.mark.parametrize("kind", SENDS)
@pytest.mark.parametrize("state", ResponseState)
def test_the_table_is_what_happens(state, kind):
    subject, rule = in_state(state), LEGAL.get((state, kind))
    if rule is None:
        with pytest.raises(GatewayProtocolError):
            SENDS[kind](subject)
        return
    commands = SENDS[kind](subject)
    if rule is Rule.IGNORE:
        assert commands == []
        assert subject.state is state
    elif kind is PeerEnded:
        assert subject.state is ResponseState.CLOSED
    else:
        assert answers(commands)


def test_headers_come_once():
    subject = half()
    subject.headers(fields(), False, OURS, None)
    with pytest.raises(GatewayProtocolError):
        subject.headers(fields(), False, OURS, None)
    ended = half()
    ended.headers(fields(), True, OURS, None)
    with pytest.raises(GatewayProtocolError):
        ended.headers(fields(), True, OURS, None)


@pytest.mark.parametrize("status", [100, 102, 103])
def test_an_informational_answer_is_answered_and_is_not_the_response(status):
    subject = half()
    for _ in range(2):
        (reply,) = subject.headers(fields(status, x_vsr_spoof="1"), False, OURS, DECISION)
        assert reply == ReplyHeaders("response", remove_headers=("x-vsr-spoof",))
        assert subject.state is ResponseState.WAITING
    (reply,) = subject.headers(fields(200), False, OURS, DECISION)
    assert dict(reply.set_headers)["x-vsr-selected-model"] == b"m"
    assert observed(subject.close()).status == 200


@pytest.mark.parametrize("mode", MODES)
def test_a_body_is_answered_in_the_style_of_its_mode(mode):
    subject = half(mode)
    duplex = mode is BodyMode.FULL_DUPLEX_STREAMED
    subject.headers(fields(), False, OURS, DECISION)
    for data, end in ((b"", False), (b"ab", False), (b"", False), (b"c", True)):
        commands = answers(subject.body(data, end))
        if duplex:
            sent = [ReplyChunk("response", data, end)] if data or end else []
            assert commands == sent
        else:
            assert commands == [ReplyBody("response")]
    assert subject.state is ResponseState.DONE


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_body_ends_the_response(mode):
    subject = half(mode)
    subject.headers(fields(), False, OURS, DECISION)
    commands = subject.body(b"", True)
    assert len(answers(commands)) == 1
    assert observed(commands).usage == "none"


@pytest.mark.parametrize("bodies", [(), (b"{}",), (b"{", b"}"), (b"{}", b"")])
@pytest.mark.parametrize("mode", MODES)
def test_trailers_end_a_body_that_did_not(mode, bodies):
    subject = half(mode)
    subject.headers(fields(), False, OURS, DECISION)
    for data in bodies:
        for command in answers(subject.body(data, False)):
            assert not getattr(command, "end", False)
    commands = subject.trailers()
    assert commands[0] == ReplyTrailers("response")
    assert observed(commands).ended
    assert subject.body(b"more", True) == subject.trailers() == []


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 204), ("GET", 304)])
@pytest.mark.parametrize("mode", MODES)
def test_no_body_comes_with_and_without_saying_so(mode, method, status):
    facts = read_headers(request(method=method).headers)
    for end in (True, False):
        subject = half(mode)
        extra = {"content_length": "700", "content_encoding": "gzip"}
        commands = subject.headers(fields(status, **extra), end, facts, DECISION)
        assert isinstance(commands[0], ReplyHeaders)
        assert len(answers(commands)) == 1
        found = observed([*commands, *subject.close()])
        assert (found.status, found.usage, found.ended) == (status, "none", end)


@pytest.mark.parametrize("mode", MODES)
def test_the_header_phase_may_be_skipped(mode):
    subject = half(mode)
    assert len(subject.body(b"x", False)) == 1
    assert subject.body(b"", True)
    assert subject.close() == []
    assert half(mode).trailers() == [ReplyTrailers("response")]
    assert half(mode).close() == []
    late = half(mode)
    late.body(b"x", False)
    with pytest.raises(GatewayProtocolError):
        late.headers(fields(), False, OURS, DECISION)


def test_a_second_end_is_ignored():
    subject = half()
    subject.headers(fields(), False, OURS, DECISION)
    assert len(subject.body(b"x", True)) == 2
    assert subject.body(b"x", True) == []
    assert subject.close() == []


def test_large_pieces_leave_in_order_and_in_small_pieces():
    subject = half()
    subject.headers(fields(), False, OURS, None)
    data = bytes(range(256)) * 1000
    sent = answers(subject.body(data, True))
    assert b"".join(bytes(command.data) for command in sent) == data
    assert [command.end for command in sent] == [False] * (len(sent) - 1) + [True]


# -- headers that only srd may set -----------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 302, 404, 503])
def test_what_a_backend_claims_is_overwritten_or_removed(status):
    spoofed = {"x_vsr_selected_model": "evil", "x_vsr_made_up": "1", "x_vsr_cache_hit": "true"}
    (reply,) = half().headers(fields(status, **spoofed), False, OURS, DECISION)
    said = dict(reply.set_headers)
    for name in ("x-vsr-selected-model", "x-vsr-made-up", "x-vsr-cache-hit"):
        assert (name in said) != (name in reply.remove_headers), name
        assert said.get(name) != b"evil"
    assert said.get("x-vsr-selected-model") == (None if status == 302 else b"m")


def test_what_a_backend_claims_is_removed_without_a_decision_too():
    spoofed = fields(200, x_vsr_selected_model="evil")
    (reply,) = half().headers(spoofed, False, OURS, None)
    assert reply == ReplyHeaders("response", remove_headers=("x-vsr-selected-model",))
    (reply,) = half().headers(spoofed, False, ELSEWHERE, None)
    assert reply == ReplyHeaders("response")


@pytest.mark.parametrize("decision", [None, DECISION])
def test_a_hundred_mutations_are_enough_for_envoy(decision):
    names = {f"x_vsr_{i:03}": "1" for i in range(150)} | {"x_vsr_selected_recipe": "evil"}
    (reply,) = half().headers(fields(200, **names), False, OURS, decision)
    assert len(reply.set_headers) + len(reply.remove_headers) == MUTATIONS
    assert bool(reply.set_headers) == (decision is not None)
    assert reply.remove_headers[0] == "x-vsr-selected-recipe"
    (reply,) = half().headers(fields(200, **names), False, AGENTGATEWAY, decision)
    assert len(reply.remove_headers) == 151


def test_more_debug_headers_are_for_those_who_asked():
    for asked in (False, True):
        extra = {"x-vsr-debug": "true"} if asked else None
        facts = read_headers(request(extra=extra).headers)
        debug = [("x-vsr-not-carried-out", "reasoning")]
        (reply,) = half().headers(fields(), False, facts, DECISION, debug=debug)
        assert ("x-vsr-not-carried-out" in dict(reply.set_headers)) is asked


# -- usage -----------------------------------------------------------------------------------------


def answer(data, *, kind="application/json", status=200, cut=None, end=True, **more):
    subject = half()
    commands = subject.headers(fields(status, kind, **more), False, OURS, DECISION)
    size = cut or max(1, len(data))
    for start in range(0, len(data), size):
        commands += subject.body(data[start : start + size], False)
    return [*commands, *(subject.body(b"", True) if end else []), *subject.close()]


def test_a_packed_answer_is_observed_and_passes_packed():
    packed = gzip.compress(USAGE)
    for names in itertools.permutations(("gzip", "identity")):
        commands = answer(packed, cut=5, content_encoding=", ".join(names))
        sent = [bytes(c.data) for c in commands if isinstance(c, ReplyChunk)]
        assert b"".join(sent) == packed
        assert observed(commands).completion_tokens == 3


def test_two_encoding_headers_are_one_list():
    subject = half()
    listed = (*fields(content_encoding="gzip"), ("content-encoding", b"identity"))
    subject.headers(listed, False, OURS, DECISION)
    assert observed(subject.body(gzip.compress(USAGE), True)).prompt_tokens == 7


def test_events_that_are_announced_as_something_else_count_as_streamed():
    event = b"data: " + USAGE + b"\n\n"
    assert observed(answer(event, kind="text/plain")).streamed
    assert not observed(answer(USAGE, kind="text/plain")).streamed


@pytest.mark.parametrize(
    ("data", "end", "state"),
    [
        (USAGE, True, "complete"),
        (USAGE, False, "partial"),
        (USAGE[:-1] + b',"stop_reason":"end_turn"}', False, "complete"),
        (b'{"usage":{"prompt_tokens":7}}', True, "partial"),
        (b'{"usage":{"cache_read_input_tokens":7}}', True, "partial"),
        (b"{}", True, "none"),
        (b"", False, "none"),
    ],
)
def test_it_says_how_much_of_the_usage_was_seen(data, end, state):
    assert observed(answer(data, end=end)).usage == state


def test_a_coding_that_is_cut_short_is_no_complete_usage():
    packed = gzip.compress(USAGE)
    assert observed(answer(packed, content_encoding="gzip")).usage == "complete"
    assert observed(answer(packed[:-4], content_encoding="gzip")).usage == "partial"
    assert observed(answer(USAGE, content_encoding="gzip")).usage == "none"


@pytest.mark.parametrize("method", ["feed", "finish"])
def test_a_fault_while_observing_is_noted_once_and_touches_nothing(monkeypatch, method):
    fault = MemoryError()

    def broken(*_):
        raise fault

    monkeypatch.setattr(UsageReader, method, broken)
    body = json.dumps({"usage": {"prompt_tokens": 1}, "x": "y" * 100}).encode()
    commands = answer(body, cut=10)
    notes = [command for command in commands if isinstance(command, Noted)]
    assert notes == [Noted(NoteKind.FAULT, "MemoryError", fault)]
    sent = [command for command in commands if isinstance(command, ReplyChunk)]
    assert b"".join(bytes(chunk.data) for chunk in sent) == body
    assert sent[-1].end
    assert observed(commands).usage == "none"


def test_nothing_is_observed_of_what_we_did_not_decide():
    subject = half()
    subject.headers(fields(), False, OURS, None)
    found = observed(subject.body(USAGE, True))
    assert (found.status, found.usage) == (200, "none")


@pytest.mark.parametrize("status", ["", "abc", "20", "2000", "²00"])
def test_a_status_that_is_none_raises_nothing(status):
    subject = half()
    (reply,) = subject.headers(((":status", status.encode()),), False, OURS, DECISION)
    assert "x-vsr-selected-model" not in dict(reply.set_headers)
    assert answers(subject.body(b"", True))
    assert repr(subject) == "<ResponseHalf done mode=FULL_DUPLEX_STREAMED status=->"
