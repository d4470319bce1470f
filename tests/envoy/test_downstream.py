"""Clients of other kinds through a real Envoy: HTTP/2, 100-continue, slow, large; and a drain."""

from __future__ import annotations

import hashlib
import json
import signal
import socket

import h2.config
import h2.connection
import h2.events
import pytest
from stage import CONFIG, MATH, StageConfig, chat, large, routed

from srd.demo.envoy import Envoy
from srd.demo.process import get

pytestmark = pytest.mark.envoy

MIB = 1 << 20


def over_h2(port: int, body: bytes, trailers=()) -> int:
    """One HTTP/2 request with prior knowledge, respecting windows; its status."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    status, rest = 0, memoryview(body)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        connection.send_headers(
            1,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":authority", "gateway.example"),
                (":path", "/v1/chat/completions"),
                ("content-type", "application/json"),
            ],
        )
        ended = False
        while True:
            while rest and (room := connection.local_flow_control_window(1)):
                size = min(room, connection.max_outbound_frame_size, len(rest))
                connection.send_data(1, rest[:size].tobytes())
                rest = rest[size:]
            if not rest and not ended:
                ended = True
                if trailers:
                    connection.send_headers(1, trailers, end_stream=True)
                else:
                    connection.end_stream(1)
            wire.sendall(connection.data_to_send())
            data = wire.recv(65536)
            assert data, "the gateway closed the connection"
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[":status"])
                elif isinstance(event, h2.events.StreamEnded):
                    return status
                elif isinstance(event, h2.events.StreamReset):
                    raise AssertionError(event)


@pytest.mark.parametrize("listener", ["duplex", "both", "buffered", "partial", "streamed"])
@pytest.mark.parametrize("body", [MATH, large(200_000)], ids=["small", "large"])
def test_http_2_clients_are_routed_as_well(stage, tap, listener, body):
    assert over_h2(stage.ports[listener], body) == 200
    assert tap.last.sha256 == hashlib.sha256(routed(body)).hexdigest()


def test_024_http_2_trailers_arrive(stage, tap):
    assert over_h2(stage.ports["duplex"], MATH, [("x-checksum", "17")]) == 200
    assert tap.last.body == routed(MATH)
    assert tap.last.trailers == {"x-checksum": "17"}


def test_016_a_client_that_waits_for_100_continue_is_told_to_go_on(stage, tap, upload):
    request = upload(stage, "duplex", length=len(MATH), headers={"expect": "100-continue"})
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += request.connection.recv(1)
    assert head.startswith(b"HTTP/1.1 100")
    assert request.send(MATH).status() == 200
    assert tap.last.body == routed(MATH)


@pytest.mark.parametrize("announced", [True, False], ids=["length", "chunked"])
def test_ten_megabytes_arrive_byte_for_byte(stage, tap, upload, announced):
    body = large(10 * MIB)
    request = upload(stage, "duplex", length=len(body) if announced else None)
    if announced:
        request.send(body)
    else:
        request.send(*(body[at : at + 300_000] for at in range(0, len(body), 300_000))).end()
    assert request.status() == 200
    assert tap.last.sha256 == hashlib.sha256(routed(body)).hexdigest()


def test_092_a_drain_under_load_loses_no_request(srd_factory, tap, upload):
    """Every request that srd has begun ends well, though SIGTERM comes in the middle of each."""
    srd = srd_factory(CONFIG, fresh=True)
    with Envoy(StageConfig(processor=srd.address, backend=f"127.0.0.1:{tap.port}")) as envoy:
        undecided = [chat(f"{n}: the derivative of x^{n}") for n in range(20)]
        flowing = [large(8000, f"{n}: the derivative ") for n in range(20)]
        bodies = undecided + flowing
        requests = [upload(envoy, "duplex") for _ in bodies]
        for request, body in zip(requests, bodies, strict=True):
            request.send(body[: len(body) // 2])
        srd.until(lambda: _open_streams(srd) == len(bodies), "see every request")
        srd.signal(signal.SIGTERM)
        srd.until(lambda: "draining" in srd.log.read_text(), "begin to drain")
        for request, body in zip(requests, bodies, strict=True):
            request.send(body[len(body) // 2 :]).end()
        statuses = [request.status() for request in requests]
        assert statuses == [200] * len(bodies)
        arrived = sorted(bytes(seen.body) for seen in tap.seen)
        assert arrived == sorted(map(routed, bodies))
        assert srd.wait(20) == 0


def _open_streams(srd) -> int:
    return json.loads(get(srd.admin_port, "/debug/state")[1])["open_streams"]
