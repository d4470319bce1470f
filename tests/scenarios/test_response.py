"""Responses are answered in the style of their mode, never held."""

from __future__ import annotations

import pytest
from corpus.answers import CODINGS
from playbook import (
    Sent,
    body,
    chunks,
    half_close,
    header_reply,
    headers,
    nothing,
    response_body,
    response_chunks,
    response_headers,
    response_reply,
    response_trailer_reply,
    response_trailers,
    response_unchanged,
)

from srd.exchange.errors import GatewayProtocolError
from srd.exchange.events import BodyMode
from srd.wire.messages import Phase

MATH = b'{"model":"auto","messages":[{"role":"user","content":"the derivative of x^3?"}]}'
ROUTED = MATH.replace(b"auto", b"math-expert")
DUPLEX, BUFFERED, STREAMED = (
    BodyMode.FULL_DUPLEX_STREAMED,
    BodyMode.BUFFERED,
    BodyMode.STREAMED,
)
SSE = (
    b'data: {"model":"math-expert","choices":[{"delta":{"content":"3x"}}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n'
    b"data: [DONE]\n\n"
)


def decided(play, **options: object):
    p = play(**options)
    p >> headers()
    p.take()
    p >> body(MATH, end=True)
    p.take()
    return p


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_080_a_streamed_answer_passes_piece_by_piece_and_its_usage_is_seen(play, size):
    p = decided(play, response_mode=DUPLEX)
    p >> response_headers(200, "text/event-stream") << response_reply()
    for at in range(0, len(SSE), size):
        piece = SSE[at : at + size]
        p >> response_body(piece) << response_chunks(piece)
    p >> response_body(b"", end=True) << response_chunks(b"", end=True)
    p.done(ROUTED)
    (observed,) = p.made.observed
    assert (observed.prompt_tokens, observed.completion_tokens) == (9, 2)


def test_081_a_response_without_a_body_is_answered_by_its_headers(play):
    p = decided(play, response_mode=DUPLEX)
    p >> response_headers(204, end=True) << response_reply()
    p.done()


def test_082_response_trailers_are_answered_without_end_of_stream(play):
    p = decided(play, response_mode=DUPLEX)
    p >> response_headers(200) << response_reply()
    p >> response_body(b"{}") << response_chunks(b"{}")
    p >> response_trailers() << response_trailer_reply()
    p.done()


def test_083_an_upstream_that_answers_before_the_upload_ends_is_heard(play):
    p = play(response_mode=BUFFERED, scorer=None)
    p >> headers() >> body(MATH[:30]) << nothing
    p >> response_headers(401) << response_reply()
    p >> response_body(b"{}", end=True) << response_unchanged()
    p >> body(MATH[30:], end=True) << nothing
    p.done()
    assert p.exchange.held == 0


def test_083_while_flowing_the_rest_of_the_request_still_flows(play):
    p = play(response_mode=DUPLEX)
    named = MATH.replace(b"auto", b"law-expert")
    p >> headers() >> body(named[:40])
    p.take()
    p >> response_headers(401) << response_reply()
    p >> body(named[40:], end=True) << chunks(named[40:], end=True)
    p.done(named)


def test_084_the_last_answers_are_sent_before_a_half_close_counts(play):
    p = decided(play, response_mode=DUPLEX)
    p >> response_headers(200) << response_reply()
    p >> response_body(b"{}", end=True) << response_chunks(b"{}", end=True)
    p >> half_close() << nothing


def test_085_phases_may_interleave(play):
    p = play(response_mode=DUPLEX)
    named = MATH.replace(b"auto", b"law-expert")
    p >> headers() >> body(named[:40])
    p << [header_reply("law-expert"), chunks(named[:40])]
    p >> response_headers(200) << response_reply()
    p >> response_body(b"a") << response_chunks(b"a")
    p >> body(named[40:60]) << chunks(named[40:60])
    p >> response_body(b"b", end=True) << response_chunks(b"b", end=True)
    p >> body(named[60:], end=True) << chunks(named[60:], end=True)
    p.done(named)


def test_086_each_direction_is_answered_in_its_own_style(play):
    p = decided(play, response_mode=BUFFERED)
    p >> response_headers(200) << response_reply()
    p >> response_body(b'{"a":1}', end=True) << response_unchanged()
    p.done(ROUTED)


def test_the_response_says_what_was_decided(play):
    p = decided(play, response_mode=BodyMode.NONE)
    p >> response_headers(200)
    (reply,) = p.take()
    said = dict(reply.set_headers)
    assert said["x-vsr-selected-model"] == b"math-expert"
    assert said["x-vsr-selected-decision"] == b"math_decision"
    assert said["x-vsr-selected-category"] == b"math"
    assert said["x-vsr-selected-confidence"] == b"0.9700"
    assert said["x-vsr-decision-basis"] == b"complete"


@pytest.mark.parametrize("mode", [BUFFERED, BodyMode.BUFFERED_PARTIAL])
@pytest.mark.parametrize("request_mode", [BUFFERED, DUPLEX])
def test_a_streamed_answer_is_never_collected(play, dialect, mode, request_mode):
    p = decided(play, mode=request_mode, response_mode=mode)
    p >> response_headers(200, "text/event-stream")
    (reply,) = p.take()
    if dialect == "agentgateway":
        assert reply.mode_override is not None
        assert reply.mode_override[3] == BodyMode.NONE
    elif request_mode is BUFFERED:
        assert reply.mode_override == (1, 1, BUFFERED, STREAMED, 2, 2)
        p >> response_body(SSE) << response_unchanged()
    if reply.mode_override is not None:
        assert all(field in (1, 2) for field in reply.mode_override[:2] + reply.mode_override[4:])


@pytest.mark.parametrize("request_mode", [BUFFERED, DUPLEX])
def test_a_gateway_that_ignores_the_override_is_answered_all_the_same(play, request_mode):
    p = decided(play, mode=request_mode, response_mode=BUFFERED)
    p >> response_headers(200, "text/event-stream")
    p.take()
    p >> response_body(SSE, end=True) << response_unchanged()
    p.done()
    assert p.made.observed[0].completion_tokens == 2


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_only_a_streamed_answer_with_a_body_changes_its_mode(play, kind, end):
    p = decided(play, mode=BUFFERED, response_mode=BUFFERED)
    p >> response_headers(200, kind, end=end)
    (reply,) = p.take()
    changes = kind == "text/event-stream" and not end
    assert (reply.mode_override is not None) is changes


def test_usage_of_a_plain_answer_is_seen(play):
    p = decided(play, response_mode=BUFFERED)
    p >> response_headers(200)
    p.take()
    answer = b'{"usage":{"prompt_tokens":7,"completion_tokens":3},"model":"math-expert"}'
    p >> response_body(answer, end=True) << response_unchanged()
    p.done()
    assert p.made.observed[0].completion_tokens == 3


def test_responses_of_requests_that_are_not_ours_say_nothing(play):
    p = play(response_mode=DUPLEX)
    p >> headers("/healthz", "GET", end=True)
    p.take()
    p >> sent_headers({":status": "200", "x-vsr-of-another-service": "1"})
    (reply,) = p.take()
    assert reply.set_headers == ()
    assert reply.remove_headers == ()


def announced(mode):
    """Options of a playbook whose responses come in `mode`; without a mode nothing is announced."""
    return {"mode": None} if mode is BodyMode.UNKNOWN else {"response_mode": mode}


def sent_headers(fields, *, end=False):
    listed = tuple((name, value.encode()) for name, value in fields.items())
    return Sent(Phase.RESPONSE_HEADERS, listed, end=end)


@pytest.mark.parametrize("ending", ["with the last piece", "alone", "trailers"])
@pytest.mark.parametrize("coding", ["", "gzip", "br", "zstd", "gzip, br"])
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("mode", BodyMode)
def test_an_answer_passes_as_it_is_and_its_usage_is_seen(play, mode, kind, coding, ending):
    """In every mode, with `content-length` beside it, packed or not, however it ends."""
    p = decided(play, **announced(mode))
    answer = CODINGS[coding](SSE)
    fields = {":status": "200", "content-type": kind, "content-length": str(len(answer))}
    p >> sent_headers(fields | ({"content-encoding": coding} if coding else {}))
    (reply,) = p.take()
    named = {name for name, _ in reply.set_headers} | set(reply.remove_headers)
    assert not named & {"content-length", "content-encoding", "content-type"}
    whole = mode in (BUFFERED, BodyMode.BUFFERED_PARTIAL)
    step = len(answer) if whole else 50
    pieces = [answer[at : at + step] for at in range(0, len(answer), step)]
    pieces += [b""] if ending == "alone" else []
    for left, piece in zip(range(len(pieces), 0, -1), pieces, strict=True):
        end = left == 1 and ending != "trailers"
        expected = response_chunks(piece, end=end) if mode is DUPLEX else response_unchanged()
        p >> response_body(piece, end=end) << expected
    if ending == "trailers":
        p >> response_trailers() << response_trailer_reply()
    p >> response_body(b"twice", end=True) << nothing  # Envoy's second end
    p.done()
    (observed,) = p.made.observed
    assert (observed.prompt_tokens, observed.completion_tokens) == (9, 2)
    assert (observed.usage, observed.streamed) == ("complete", True)


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("status", [200, 204, 304])
@pytest.mark.parametrize("mode", BodyMode)
def test_a_body_that_never_comes_is_not_waited_for(play, mode, status, kind):
    """HEAD, 204 and 304, where the headers do not carry the end of the stream."""
    p = decided(play, **announced(mode))
    p >> sent_headers({":status": str(status), "content-type": kind, "content-length": "70"})
    p << response_reply()
    p.done()
    (observed,) = p.made.observed
    assert (observed.status, observed.usage, observed.ended) == (status, "none", False)


@pytest.mark.parametrize("mode", [mode for mode in BodyMode if mode is not BodyMode.UNKNOWN])
def test_an_upstream_may_answer_while_the_upload_runs_and_never_see_its_end(play, mode):
    p = play(response_mode=mode)
    named = MATH.replace(b"auto", b"law-expert")
    p >> headers() >> body(named[:40])
    p << [header_reply("law-expert"), chunks(named[:40])]
    p >> response_headers(413)
    (reply,) = p.take()
    assert dict(reply.set_headers)["x-vsr-selected-model"] == b"law-expert"
    assert "x-vsr-selected-decision" not in dict(reply.set_headers)
    p >> response_body(b"{}", end=True)
    p.take()
    p.done()
    (observed,) = p.made.observed
    assert (observed.status, observed.ended) == (413, True)


def test_an_informational_answer_is_not_the_response(play):
    p = decided(play, response_mode=DUPLEX)
    p >> response_headers(103) << response_reply(absent=("x-vsr-selected-model",))
    p >> response_headers(200) << response_reply(set={"x-vsr-selected-model": b"math-expert"})
    p >> response_body(b"{}", end=True) << response_chunks(b"{}", end=True)
    p.done(ROUTED)
    assert [observed.status for observed in p.made.observed] == [200]


@pytest.mark.parametrize("mode", [DUPLEX, BUFFERED])
def test_a_second_response_breaks_the_protocol(play, mode):
    p = decided(play, response_mode=mode)
    p >> response_headers(200) << response_reply()
    with pytest.raises(GatewayProtocolError):
        p >> response_headers(200)


@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_backend_cannot_say_what_was_decided(play, dialect, status):
    p = decided(play, response_mode=BodyMode.NONE)
    claims = {"x-vsr-selected-model": "evil", "x-vsr-cache-hit": "true"}
    claims |= {f"x-vsr-{n}": "1" for n in range(99 if dialect == "envoy" else 80)}
    p >> sent_headers({":status": str(status), **claims})
    (reply,) = p.take()
    assert dict(reply.set_headers)["x-vsr-selected-model"] == b"math-expert"
    # The gateway's model counts the mutations of either dialect; Envoy takes a hundred.
    assert "x-vsr-0" in reply.remove_headers
