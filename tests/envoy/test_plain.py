"""The harness itself: Envoy and the backend without `srd` between them."""

from __future__ import annotations

import hashlib

import pytest

from srd.demo.envoy import LISTENERS, Envoy
from srd.demo.process import free_port

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def unrouted(envoy_factory) -> Envoy:
    """An Envoy whose processor is not there."""
    return envoy_factory(f"127.0.0.1:{free_port()}")


def test_every_listener_has_a_port_of_its_own(unrouted: Envoy) -> None:
    assert set(unrouted.ports) == {listener.name for listener in LISTENERS}
    assert len({*unrouted.ports.values(), 0}) == len(LISTENERS) + 1


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_the_plain_listener_delivers_a_body_byte_for_byte(
    unrouted: Envoy, backend, connect, size: int
) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    answer = connect(unrouted, "plain").chat(body, {"x-backend-echo": "1"})
    assert answer.headers["x-backend-sha256"] == hashlib.sha256(body).hexdigest()
    assert backend.last.size == size


def test_an_unrouted_request_for_auto_is_visible_as_404(unrouted: Envoy, connect) -> None:
    answer = connect(unrouted, "plain").chat({"model": "auto", "messages": []})
    assert answer.status == 404
    assert answer.json()["error"]["message"] == "The model `auto` does not exist."


def test_a_chunked_upload_arrives_whole(unrouted: Envoy, backend, connect) -> None:
    pieces = [b'{"model":', b'"base-model",', b'"messages":[]}']
    assert connect(unrouted, "plain").chat(iter(pieces)).status == 200
    assert backend.last.body == b"".join(pieces)


@pytest.mark.parametrize("listener", [x.name for x in LISTENERS if x.processing is not None])
def test_without_its_processor_a_routed_listener_fails_closed(
    unrouted: Envoy, backend, connect, listener: str
) -> None:
    before = backend.received
    answer = connect(unrouted, listener).chat({"model": "auto", "messages": []})
    assert answer.status in (500, 503, 504)
    assert backend.received == before
    assert unrouted.stats(f"http.{listener}.ext_proc.streams_started")
