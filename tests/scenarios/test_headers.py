"""Header mutations that both gateways take."""

from __future__ import annotations

import pytest
from playbook import PLAIN, body, header_reply, headers, policy_of, trailers, untouched_headers

from srd.exchange.events import BodyMode

MATH = b'{"model":"auto","messages":[{"role":"user","content":"the derivative of x^3?"}]}'
SPOOFED = {"x-selected-model": "evil", "x-vsr-selected-decision": "evil"}


def test_044_decision_headers_are_portable(play):
    """The gateway's model checks lower case, raw_value and the count on every reply."""
    p = play()
    p >> headers() >> body(MATH, end=True)
    first, *_ = p.take()
    assert first.header("x-selected-model") == b"math-expert"
    p.done()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/upload"])
@pytest.mark.parametrize("raw", [MATH, MATH.replace(b"auto", b"law-expert")])
def test_045_a_clients_copies_of_our_headers_never_reach_the_upstream(play, path, raw):
    p = play()
    p >> headers(path, extra=SPOOFED)
    p.take()
    p >> body(raw, end=True)
    p.take()
    p.done()
    assert b"evil" not in p.gateway.request_headers.values()


@pytest.mark.parametrize("mode", [BodyMode.NONE, BodyMode.BUFFERED, BodyMode.STREAMED])
def test_045_not_in_any_other_mode_either(play, mode):
    p = play(mode=mode)
    p >> headers(extra=SPOOFED)
    p.take()
    assert b"evil" not in p.gateway.request_headers.values()


def test_046_the_route_is_chosen_again_after_a_decision(play):
    p = play()
    p >> headers() >> body(MATH, end=True)
    assert p.take()[0].clear_route_cache
    p.done()


def test_046_not_where_the_operator_switched_it_off(play):
    text = PLAIN.replace("  router:\n", "  router:\n    clear_route_cache: false\n")
    p = play(policy=policy_of(text))
    p >> headers() >> body(MATH, end=True)
    assert not p.take()[0].clear_route_cache
    p.done()


def test_047_048_what_gateways_refuse_is_never_set(play):
    text = PLAIN.replace(
        "modelRefs: [{model: base-model, lora_name: math-expert, use_reasoning: true}]",
        """modelRefs: [{model: base-model, lora_name: math-expert}]
      plugins:
        - type: header_mutation
          configuration:
            add: [{name: X-Team, value: blue}]
            update: [{name: x-tier, value: gold}]
            delete: [x-secret]""",
    )
    p = play(policy=policy_of(text))
    p >> headers(extra={"x-secret": "1", "x-team": "red"}) >> body(MATH, end=True)
    p.take()
    p.done()
    assert p.gateway.request_headers["x-team"] == b"red, blue"
    assert p.gateway.request_headers["x-tier"] == b"gold"
    assert "x-secret" not in p.gateway.request_headers


def test_049_a_name_with_line_breaks_cannot_forge_a_header(play):
    p = play(policy=policy_of(PLAIN.replace("math-expert", '"a\\r\\nx-evil: 1"')))
    p >> headers() >> body(MATH, end=True)
    first, *_ = p.take()
    assert b"\n" not in (first.header("x-selected-model") or b"")
    p.done()


def test_050_dynamic_metadata_rides_on_nothing_but_the_header_reply(play):
    """srd sends none; the gateway's model fails the test for any on another reply."""
    p = play()
    p >> headers() >> body(MATH) >> trailers()
    assert not any(reply.dynamic_metadata for reply in p.take())


def test_051_pseudo_headers_are_read_in_either_dialect(play):
    p = play()
    p >> headers("/v1/chat/completions?x=1") >> body(MATH, end=True) << header_reply("math-expert")
    p.take()


def test_052_odd_request_headers_do_not_disturb(play):
    p = play()
    odd = {"x-bytes": b"\xff\xfe", "X-Upper": "1", "content-length": "abc"}
    p >> headers(extra=odd) >> body(MATH, end=True) << header_reply("math-expert")
    p.take()


def test_052_a_get_with_odd_headers_passes(play):
    p = play()
    p >> headers("/x", "GET", extra={"x-bytes": b"\xff"}, end=True) << untouched_headers()
    p.done(b"")
