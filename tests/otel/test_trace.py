"""The joined trace through a real Envoy: caller -> gateway -> srd, and gateway -> backend."""

from __future__ import annotations

import os

import pytest

SERVER = 2


def hexed(count: int) -> str:
    return os.urandom(count).hex()


def of(trace: str, count: int):
    """True when srd's span and three of Envoy's are there."""

    def happened(spans) -> bool:
        mine = [s for s in spans if s.trace == trace]
        roots = [s for s in mine if s.name == "semantic_router.request.received"]
        return bool(roots) and sum(s.service == "envoy" for s in mine) >= count

    return happened


def joined(spans, trace: str, upstream: str, caller: str) -> None:
    mine = {s.id: s for s in spans if s.trace == trace}
    (decision,) = [s for s in mine.values() if s.name == "semantic_router.request.received"]
    call = mine[decision.parent]
    assert call.service == "envoy"
    assert "ext_proc" in call.name
    ingress = mine[call.parent]
    assert (ingress.service, ingress.kind, ingress.parent) == ("envoy", SERVER, caller)
    version, sent_trace, sent_parent, flags = upstream.split("-")
    assert (version, sent_trace, flags) == ("00", trace, "01")
    assert mine[sent_parent].parent == ingress.id
    children = {s.name for s in mine.values() if s.parent == decision.id}
    assert "semantic_router.decision.evaluation" in children
    assert decision.attributes["routing.selected_model"] == "math-expert"


@pytest.mark.envoy
@pytest.mark.parametrize("listener", ["duplex", "buffered", "streamed"])
def test_a_callers_trace_goes_through_all(traffic, receiver, ask, listener):
    trace, caller = hexed(16), hexed(8)
    headers = {"traceparent": f"00-{trace}-{caller}-01"}
    traffic.chat(ask("the derivative of x"), headers, on=listener)
    spans = receiver.until(of(trace, 3))
    joined(spans, trace, traffic.backend.last.traceparent, caller)


@pytest.mark.envoy
def test_without_a_caller_the_gateways_trace_is_joined(traffic, receiver, ask):
    traffic.chat(ask("the derivative of y"))
    upstream = traffic.backend.last.traceparent
    trace = upstream.split("-")[1]
    joined(receiver.until(of(trace, 3)), trace, upstream, "")


@pytest.mark.envoy
def test_an_unsampled_trace_stays_unsampled_everywhere(traffic, receiver, ask):
    trace = hexed(16)
    traffic.chat(ask("the derivative of z"), {"traceparent": f"00-{trace}-{hexed(8)}-00"})
    upstream = traffic.backend.last.traceparent
    assert upstream.split("-")[1] == trace
    assert upstream.endswith("-00")
    # A later sampled request is exported behind it: what has not come by then never comes.
    later = hexed(16)
    traffic.chat(ask("the derivative of w"), {"traceparent": f"00-{later}-{hexed(8)}-01"})
    spans = receiver.until(of(later, 3))
    assert not [s for s in spans if s.trace == trace]
