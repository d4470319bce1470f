"""Trailers end a body without end_of_stream."""

from __future__ import annotations

from playbook import (
    body,
    chunks,
    header_reply,
    headers,
    nothing,
    scores,
    trailer_reply,
    trailers,
    untouched_headers,
)

MATH = b'{"model":"auto","messages":[{"role":"user","content":"the derivative of x^3?"}]}'
ROUTED = MATH.replace(b"auto", b"math-expert")


def test_021_trailers_end_a_body_that_is_not_ours(play):
    p = play()
    p >> headers("/upload") << untouched_headers()
    p >> body(b"abc") << chunks(b"abc")
    p >> trailers() << trailer_reply()
    p.done(b"abc")


def test_022_trailers_without_a_body_are_answered(play):
    p = play()
    p >> headers("/upload") << untouched_headers()
    p >> trailers() << trailer_reply()
    p.done(b"")


def test_023_trailers_force_the_decision_before_their_own_answer(play):
    p = play(scorer=None)
    p >> headers() >> body(MATH) << nothing
    p >> trailers() << nothing
    p >> scores("math") << [header_reply("math-expert"), chunks(ROUTED), trailer_reply()]
    p.done(ROUTED)


def test_024_a_rewritten_body_that_trailers_end_carries_no_end_of_stream(play):
    p = play()
    p >> headers() >> body(MATH) << nothing
    p >> trailers() << [header_reply("math-expert"), chunks(ROUTED), trailer_reply()]
    p.done(ROUTED)


def test_025_the_trailer_answer_changes_nothing(play):
    p = play()
    p >> headers("/upload")
    p.take()
    p >> body(b"abc")
    p.take()
    p >> trailers()
    (reply,) = p.take()
    assert reply.kind == "request_trailers"
    assert reply.set_headers == ()
    assert reply.remove_headers == ()
