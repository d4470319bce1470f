"""Protocol reference 5.8: responses are answered in the style of their mode, never held."""

from __future__ import annotations

import pytest
from playbook import (
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

from srd.exchange.events import BodyMode

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


def test_a_plain_answer_keeps_its_mode(play):
    p = decided(play, response_mode=BUFFERED)
    p >> response_headers(200) << response_reply(override=None)


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
    p >> response_headers(200)
    (reply,) = p.take()
    assert reply.set_headers == ()
