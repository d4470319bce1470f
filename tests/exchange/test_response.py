"""The response half under its rows of the table: its answers in each mode, what it observes."""

from __future__ import annotations

import gzip
import itertools
import json
from dataclasses import replace

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
from srd.exchange.events import BodyArrived, BodyMode, HeadersArrived, TrailersArrived
from srd.exchange.facts import read_headers
from srd.exchange.response import MUTATIONS, ResponseHalf
from srd.exchange.states import State
from srd.exchange.table import row_of

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


def send(subject, event):
    """As the exchange does: the table says whether it is legal, what handles it, and where to."""
    before = subject.state
    subject.row = row = row_of("response", before, event)
    commands = [] if row.handle is None else row.handle(subject, event, 0.0)
    assert subject.state is before or subject.state in row.to
    return commands


def heads(subject, headers, end=False, facts=OURS, decision=DECISION, *, debug=False):
    subject.told(facts, decision, debug=debug)
    return send(subject, HeadersArrived("response", headers, end))


def piece(subject, data, end=False):
    return send(subject, BodyArrived("response", data, end))


def trailers(subject):
    return send(subject, TrailersArrived("response"))


def test_headers_come_once():
    subject = half()
    heads(subject, fields(), decision=None)
    with pytest.raises(GatewayProtocolError):
        heads(subject, fields(), decision=None)
    ended = half()
    heads(ended, fields(), True, decision=None)
    with pytest.raises(GatewayProtocolError):
        heads(ended, fields(), True, decision=None)


@pytest.mark.parametrize("status", [100, 102, 103])
def test_an_informational_answer_is_answered_and_is_not_the_response(status):
    subject = half()
    for _ in range(2):
        (reply,) = heads(subject, fields(status, x_vsr_spoof="1"))
        assert reply == ReplyHeaders("response", remove_headers=("x-vsr-spoof",))
        assert subject.state is State.WAITING
    (reply,) = heads(subject, fields(200))
    assert dict(reply.set_headers)["x-vsr-selected-model"] == b"m"
    assert observed(subject.close()).status == 200


@pytest.mark.parametrize("mode", MODES)
def test_a_body_is_answered_in_the_style_of_its_mode(mode):
    subject = half(mode)
    duplex = mode is BodyMode.FULL_DUPLEX_STREAMED
    heads(subject, fields())
    for data, end in ((b"", False), (b"ab", False), (b"", False), (b"c", True)):
        commands = answers(piece(subject, data, end))
        if duplex:
            sent = [ReplyChunk("response", data, end)] if data or end else []
            assert commands == sent
        else:
            assert commands == [ReplyBody("response")]
    assert subject.state is State.DONE


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_body_ends_the_response(mode):
    subject = half(mode)
    heads(subject, fields())
    commands = piece(subject, b"", True)
    assert len(answers(commands)) == 1
    assert observed(commands).usage == "none"


@pytest.mark.parametrize("bodies", [(), (b"{}",), (b"{", b"}"), (b"{}", b"")])
@pytest.mark.parametrize("mode", MODES)
def test_trailers_end_a_body_that_did_not(mode, bodies):
    subject = half(mode)
    heads(subject, fields())
    for data in bodies:
        for command in answers(piece(subject, data, False)):
            assert not getattr(command, "end", False)
    commands = trailers(subject)
    assert commands[0] == ReplyTrailers("response")
    assert observed(commands).ended
    assert piece(subject, b"more", True) == trailers(subject) == []


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 204), ("GET", 304)])
@pytest.mark.parametrize("mode", MODES)
def test_no_body_comes_with_and_without_saying_so(mode, method, status):
    facts = read_headers(request(method=method).headers)
    for end in (True, False):
        subject = half(mode)
        extra = {"content_length": "700", "content_encoding": "gzip"}
        commands = heads(subject, fields(status, **extra), end, facts, DECISION)
        assert isinstance(commands[0], ReplyHeaders)
        assert len(answers(commands)) == 1
        found = observed([*commands, *subject.close()])
        assert (found.status, found.usage, found.ended) == (status, "none", end)


@pytest.mark.parametrize("mode", MODES)
def test_the_header_phase_may_be_skipped(mode):
    subject = half(mode)
    assert len(piece(subject, b"x", False)) == 1
    assert piece(subject, b"", True)
    assert subject.close() == []
    assert trailers(half(mode)) == [ReplyTrailers("response")]
    assert half(mode).close() == []
    late = half(mode)
    piece(late, b"x", False)
    with pytest.raises(GatewayProtocolError):
        heads(late, fields())


def test_a_second_end_is_ignored():
    subject = half()
    heads(subject, fields())
    assert len(piece(subject, b"x", True)) == 2
    assert piece(subject, b"x", True) == []
    assert subject.close() == []


def test_large_pieces_leave_in_order_and_in_small_pieces():
    subject = half()
    heads(subject, fields(), decision=None)
    data = bytes(range(256)) * 1000
    sent = answers(piece(subject, data, True))
    assert b"".join(bytes(command.data) for command in sent) == data
    assert [command.end for command in sent] == [False] * (len(sent) - 1) + [True]


# -- headers that only srd may set -----------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 302, 404, 503])
def test_what_a_backend_claims_is_overwritten_or_removed(status):
    spoofed = {"x_vsr_selected_model": "evil", "x_vsr_made_up": "1", "x_vsr_cache_hit": "true"}
    (reply,) = heads(half(), fields(status, **spoofed))
    said = dict(reply.set_headers)
    for name in ("x-vsr-selected-model", "x-vsr-made-up", "x-vsr-cache-hit"):
        assert (name in said) != (name in reply.remove_headers), name
        assert said.get(name) != b"evil"
    assert said.get("x-vsr-selected-model") == (None if status == 302 else b"m")


def test_what_a_backend_claims_is_removed_without_a_decision_too():
    spoofed = fields(200, x_vsr_selected_model="evil")
    (reply,) = heads(half(), spoofed, decision=None)
    assert reply == ReplyHeaders("response", remove_headers=("x-vsr-selected-model",))
    (reply,) = heads(half(), spoofed, False, ELSEWHERE, None)
    assert reply == ReplyHeaders("response")


@pytest.mark.parametrize("decision", [None, DECISION])
def test_a_hundred_mutations_are_enough_for_envoy(decision):
    names = {f"x_vsr_{i:03}": "1" for i in range(150)} | {"x_vsr_selected_recipe": "evil"}
    (reply,) = heads(half(), fields(200, **names), decision=decision)
    assert len(reply.set_headers) + len(reply.remove_headers) == MUTATIONS
    assert bool(reply.set_headers) == (decision is not None)
    assert reply.remove_headers[0] == "x-vsr-selected-recipe"
    (reply,) = heads(half(), fields(200, **names), False, AGENTGATEWAY, decision)
    assert len(reply.remove_headers) == 151


def test_more_debug_headers_are_for_those_who_may_see_them():
    missed = replace(DECISION, not_carried_out=("reasoning: no place",))
    for told in (False, True):
        (reply,) = heads(half(), fields(), decision=missed, debug=told)
        said = dict(reply.set_headers).get("x-vsr-not-carried-out")
        assert said == (b"reasoning: no place" if told else None)


# -- usage -----------------------------------------------------------------------------------------


def answer(data, *, kind="application/json", status=200, cut=None, end=True, **more):
    subject = half()
    commands = heads(subject, fields(status, kind, **more))
    size = cut or max(1, len(data))
    for start in range(0, len(data), size):
        commands += piece(subject, data[start : start + size], False)
    return [*commands, *(piece(subject, b"", True) if end else []), *subject.close()]


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
    heads(subject, listed)
    assert observed(piece(subject, gzip.compress(USAGE), True)).prompt_tokens == 7


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
    heads(subject, fields(), decision=None)
    found = observed(piece(subject, USAGE, True))
    assert (found.status, found.usage) == (200, "none")


@pytest.mark.parametrize("status", ["", "abc", "20", "2000", "²00"])
def test_a_status_that_is_none_raises_nothing(status):
    subject = half()
    (reply,) = heads(subject, ((":status", status.encode()),))
    assert "x-vsr-selected-model" not in dict(reply.set_headers)
    assert answers(piece(subject, b"", True))
    assert repr(subject) == "<ResponseHalf done mode=FULL_DUPLEX_STREAMED status=->"
