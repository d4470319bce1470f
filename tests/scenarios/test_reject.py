"""Refusals are valid answers, and never come after the header reply."""

from __future__ import annotations

import json

import pytest
from playbook import (
    PLAIN,
    Playbook,
    body,
    chunks,
    headers,
    nothing,
    policy_of,
    refused,
    response_headers,
    untouched_headers,
)

from srd.exchange.events import BodyMode

USER = '{"role":"user","content":"the derivative of x^3?"}'
MATH = f'{{"model":"auto","messages":[{USER}]}}'.encode()
CAPPED = PLAIN.replace("streamed_body:", "streamed_body:\n      max_bytes: 5000")
BLOCKING = PLAIN.replace(
    "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]",
    'plugins: [{type: fast_response, configuration: {message: "Nein, sagt Jürgen."}}]',
)


def test_053_a_length_over_the_cap_is_refused_before_any_body(play):
    p = play(policy=policy_of(CAPPED))
    p >> headers(extra={"content-length": "5001"})
    (reply,) = p.take()
    assert reply.status == 413
    assert dict(reply.set_headers)["content-type"] == b"application/json"
    assert json.loads(reply.body)["error"]["code"] == 413
    p.done(b"")


def test_054_a_body_that_grows_over_the_cap_while_undecided_is_refused(play):
    p = play(policy=policy_of(CAPPED), scorer=None)
    p >> headers() >> body(MATH[:40]) << nothing
    p >> body(b"x" * 5000) << refused(413)
    p.done(b"")


def test_055_after_the_header_reply_the_cap_refuses_nothing(play):
    raw = MATH[:-2] + b'],"pad":"' + b"x" * 9000 + b'"}'
    p = play(policy=policy_of(CAPPED))
    p >> headers()
    for at in range(0, len(raw), 2500):
        p >> body(raw[at : at + 2500], end=at + 2500 >= len(raw))
        p.take()
    p.done(raw.replace(b"auto", b"math-expert"))


def test_056_after_a_refusal_everything_is_read_and_nothing_answered(play):
    p = play()
    p >> headers() >> body(b"no json", end=False) << refused(400)
    p >> body(b"more") << nothing
    p >> body(b"", end=True) << nothing
    p >> response_headers(400) << nothing
    p.done(b"")


def test_057_058_a_refusal_is_readable_whatever_it_quotes(play):
    p = play()
    raw = '{"model":"gpt-é\\n数","messages":[]}'.encode()
    p >> headers() >> body(raw, end=True)
    (reply,) = p.take()
    assert reply.status == 400
    assert "is not available" in json.loads(reply.body.decode())["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_059_060_a_blocking_decision_answers_before_the_upstream_hears(play, stream):
    raw = MATH.replace(b"the", b"think of the")
    raw = raw.replace(b'"auto"', b'"auto","stream":true') if stream else raw
    p = play(policy=policy_of(BLOCKING))
    p >> headers() >> body(raw, end=True)
    (reply,) = p.take()
    p.done(b"")
    assert reply.status == 200
    kind = dict(reply.set_headers)["content-type"]
    assert kind.startswith(b"text/event-stream" if stream else b"application/json")
    assert "Jürgen" in reply.body.decode() or "J\\u00fcrgen" in reply.body.decode()


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"   ", None),
        (b"[]", 0),
        (b'"x"', 0),
        (b"17", 0),
        (b'{"model":"auto"', None),
        (b'{"model":"auto","messages":[]} {}', None),
        (b'{"model":"auto",}', 16),
        (b'{"model":"a\x00uto"}', 11),
        (b'{"model":"auto","n":01}', None),
    ],
)
def test_111_112_116_a_body_that_is_no_json_object_is_refused_with_its_place(play, raw, where):
    p = play()
    p >> headers() >> body(raw, end=True)
    (reply,) = p.take()
    p.done(b"")
    assert reply.status == 400
    message = json.loads(reply.body)["error"]["message"]
    assert "byte" in message
    if where is not None:
        assert f"byte {where}" in message


def test_messages_missing_is_refused(play):
    p = play()
    p >> headers() >> body(b'{"model":"auto"}', end=True) << refused(400)


def test_an_unknown_model_is_refused_and_a_known_one_is_not(play):
    p = play()
    p >> headers() >> body(MATH.replace(b"auto", b"gpt-9"), end=True) << refused(400)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_other_methods_pass_and_are_the_backends_to_refuse(play, method):
    p = play()
    p >> headers(method=method, end=True) << untouched_headers()
    p.done(b"")


@pytest.mark.parametrize("mode", [BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL])
def test_a_buffered_body_is_refused_as_well(dialect, mode, policy):
    p = Playbook(policy, dialect, mode=mode)
    p >> headers()
    p.take()
    p >> body(b"no json", end=True) << refused(400)


def test_what_follows_an_early_release_is_never_judged(play):
    """The rest is not JSON: after the header reply that is the upstream's to say."""
    raw = MATH[:-4] + b" x" * 1500
    p = play()
    p >> headers() >> body(raw[:2001])
    p.take()
    p >> body(raw[2001:] + b'"}]]]]') << chunks(raw[2001:] + b'"}]]]]')
    p >> body(b"", end=True) << chunks(b"", end=True)
    p.done()
