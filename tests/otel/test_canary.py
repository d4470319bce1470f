"""Secrets sent through every path of a real daemon at debug level are nowhere in what it says."""

from __future__ import annotations

import json

import grpc
import pytest

CANARIES = {
    "authorization": "Bearer CANARY-1",
    "x-api-key": "CANARY-2",
    "cookie": "CANARY-3",
    "proxy-authorization": "CANARY-4",
}


@pytest.mark.envoy
def test_no_secret_is_in_any_log_span_or_scrape(traffic, receiver, ask):
    last = ask("the derivative CANARY-last")
    paths = [
        json.dumps(ask("the derivative CANARY-routed") | {"user": "CANARY-user"}).encode(),
        json.dumps(ask("forbidden CANARY-refused")).encode(),
        json.dumps(ask("CANARY-default")).encode(),
        json.dumps(ask("the derivative " + "CANARY-long " * 3000)).encode(),
        b'{"model":"auto","messages":[{"role":"user","content":"CANARY-cut',
        b'{"CANARY-broken": nope}',
        b"\xff CANARY-bytes",
    ]
    for listener in ("duplex", "buffered", "streamed", "partial"):
        for body in paths:
            traffic.chat(body, CANARIES, on=listener)
    with grpc.insecure_channel(traffic.srd.address) as channel:
        call = channel.unary_unary("/envoy.service.ext_proc.v3.ExternalProcessor/Process")
        with pytest.raises(grpc.RpcError):
            call(b"\xff\xff CANARY-undecodable", metadata=[("authorization", "CANARY-meta")])
    trace = "ab" * 16
    traffic.chat(last, CANARIES | {"traceparent": f"00-{trace}-{'cd' * 8}-01"})
    receiver.until(lambda spans: any(s.trace == trace and s.service != "envoy" for s in spans))
    said = traffic.srd.log.read_text()
    assert "routing_decision" in said
    assert "CANARY" not in said
    assert "CANARY" not in traffic.scrape()
    assert b"CANARY" not in receiver.raw
