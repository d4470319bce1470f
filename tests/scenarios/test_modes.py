"""Protocol reference 5.7: the other body modes, told by protocol_config."""

from __future__ import annotations

import pytest
from playbook import (
    PLAIN,
    Playbook,
    body,
    header_reply,
    headers,
    no_scores,
    nothing,
    policy_of,
    scores,
    timer,
    trailer_reply,
    trailers,
    untouched_headers,
    whole,
)

from srd.exchange.errors import GatewayProtocolError
from srd.exchange.events import BodyMode, Timer

MATH = b'{"model":"auto","messages":[{"role":"user","content":"the derivative of x^3?"}]}'
ROUTED = MATH.replace(b"auto", b"math-expert")
BUFFERED, PARTIAL = BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL
STREAMED = BodyMode.STREAMED


def test_068_none_answers_the_headers_and_hears_no_body(play):
    p = play(mode=BodyMode.NONE)
    p >> headers() << untouched_headers()
    p.done()


def test_069_buffered_answers_once_with_an_exact_length(play):
    p = play(mode=BUFFERED)
    p >> headers(extra={"content-length": str(len(MATH))}) << untouched_headers()
    p >> body(MATH, end=True)
    wanted = {"x-selected-model": b"math-expert", "content-length": str(len(ROUTED)).encode()}
    p << whole(ROUTED, set=wanted)
    p.done()


def test_069_a_large_buffered_body_is_decided_on_all_of_it(play):
    """It is here anyway: the last user message decides, as upstream, whatever its size."""
    start = b'{"model":"auto","messages":[{"role":"user","content":"' + b"a contract? " * 9000
    raw = start + b'"},{"role":"user","content":"the derivative?"}]}'
    p = play(mode=BUFFERED)
    p >> headers() << untouched_headers()
    p >> body(raw, end=True) << whole(raw.replace(b"auto", b"math-expert"))
    p.done()
    assert p.decision.decision.basis == "complete"


def test_070_buffered_and_nothing_to_change(play):
    named = MATH.replace(b"auto", b"law-expert")
    p = play(mode=BUFFERED)
    p >> headers() << untouched_headers()
    p >> body(named, end=True) << whole(None, set={"x-selected-model": b"law-expert"})
    p >> trailers() << nothing


def test_071_buffered_with_trailers(play):
    p = play(mode=BUFFERED)
    p >> headers(extra={"content-length": str(len(MATH))}) << untouched_headers()
    p >> body(MATH) << whole(ROUTED, removed=("content-length",), absent=("content-length",))
    p >> trailers() << trailer_reply()
    p.done()


def test_071_buffered_with_trailers_that_overtake_the_scores(play):
    p = play(mode=BUFFERED, scorer=None)
    p >> headers() << untouched_headers()
    p >> body(MATH) << nothing
    p >> trailers() << nothing
    p >> scores("math") << [whole(ROUTED), trailer_reply()]
    p.done()


@pytest.mark.parametrize("late", [timer(Timer.CLASSIFY), no_scores()])
def test_072_buffered_falls_back_rather_than_be_late(play, late):
    p = play(mode=BUFFERED, scorer=None)
    p >> headers() << untouched_headers()
    p >> body(MATH, end=True) << nothing
    p >> late << whole(MATH.replace(b"auto", b"base-model"))
    p.done()
    assert p.decision.decision.basis == "fallback"


def test_073_a_partial_prefix_is_spliced_and_the_rest_is_not_ours(play):
    prefix = MATH[:-6]
    p = play(mode=PARTIAL)
    p >> headers(extra={"content-length": "999999"}) << untouched_headers()
    p >> body(prefix)
    (reply,) = p.take()
    p.done()
    assert reply.body == prefix.replace(b"auto", b"math-expert")
    assert reply.header("x-selected-model") == b"math-expert"
    assert reply.header("content-length") is None


def test_073_a_partial_body_that_fitted_is_decided_on_all_of_it(play):
    p = play(mode=PARTIAL)
    p >> headers() << untouched_headers()
    p >> body(MATH, end=True) << whole(ROUTED)
    p.done()


def test_074_streamed_answers_one_for_one_and_keeps_every_byte(play):
    for size in (1, 5, 33, 1000):
        p = play(mode=STREAMED)
        p >> headers() << untouched_headers()
        out = b""
        for at in range(0, len(MATH), size):
            p >> body(MATH[at : at + size], end=at + size >= len(MATH))
            (reply,) = p.take()
            piece = MATH[at : at + size]
            out += piece if reply.body is None else reply.body
        p.done()
        assert out == ROUTED


def test_075_a_name_cut_in_two_is_merged_into_a_later_answer(play):
    p = play(mode=STREAMED)
    p >> headers() << untouched_headers()
    p >> body(MATH[:12]) << whole(b"")
    p >> body(MATH[12:], end=True) << whole(ROUTED)
    p.done()


def test_076_streamed_answers_headers_first_and_the_end_waits_for_scores(play):
    p = play(mode=STREAMED, scorer=None)
    p >> headers() << untouched_headers()
    p >> body(MATH[:30]) << whole(b"")
    p >> body(MATH[30:], end=True) << nothing
    p >> scores("math") << whole(ROUTED)
    p.done()


def test_076_what_is_decided_between_messages_rides_on_the_next(play):
    text = b"the derivative of x^3? " * 300
    raw = b'{"model":"auto","messages":[{"role":"user","content":"' + text + b'"}]}'
    p = play(mode=STREAMED, scorer=None)
    p >> headers() << untouched_headers()
    p >> body(raw[:3000]) << whole(b"")
    p >> scores("math") << nothing
    p >> body(raw[3000:], end=True) << whole(raw.replace(b"auto", b"math-expert"))
    p.done()


@pytest.mark.parametrize("number", [5, 9])
def test_077_a_mode_that_we_do_not_speak_is_refused_before_any_body(policy, dialect, number):
    p = Playbook(policy, dialect, mode=4)
    p._config = type(p._config)(number, 0)
    with pytest.raises(GatewayProtocolError) as refused:
        p >> headers()
    assert refused.value.status == "UNIMPLEMENTED"


def test_078_an_observed_stream_is_never_answered(play):
    p = play(mode=None, observability=True)
    p >> headers() << nothing
    p >> body(MATH, end=True) << nothing
    p >> trailers() << nothing
    p.done()


def test_079_the_request_side_never_overrides_a_mode(play):
    p = play()
    p >> headers() >> body(MATH, end=True) << header_reply(override=None)
    p.take()


def test_097_a_body_before_headers_that_then_come_breaks_the_protocol(play):
    p = play(scorer=None)
    p >> body(MATH[:10]) << nothing
    with pytest.raises(GatewayProtocolError):
        p >> headers()


def test_097_a_body_first_without_any_announcement_breaks_the_protocol(play):
    with pytest.raises(GatewayProtocolError):
        play(mode=None) >> body(MATH)


def test_gzip_in_streamed_mode_passes_because_the_header_is_out(play):
    p = play(mode=STREAMED)
    p >> headers(extra={"content-encoding": "gzip"}) << untouched_headers()
    p >> body(b"\x1f\x8b", end=True) << whole(None)


def test_the_policy_of_the_seed_wants_nothing_more(play):
    """Buffered both ways with headers sent: what the seed guide's policy announces."""
    p = play(mode=BUFFERED, response_mode=BUFFERED, policy=policy_of(PLAIN))
    p >> headers() << untouched_headers()
    p >> body(MATH, end=True) << whole(ROUTED)
