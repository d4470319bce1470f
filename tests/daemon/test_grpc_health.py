"""Health: who is ready, and who is told. The service over the wire is in test_server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from srd.daemon.grpc_health import EXT_PROC_SERVICE, LIVENESS, READINESS, Health
from srd.wire._pb.grpc.health.v1 import HealthCheckRequest, HealthCheckResponse


class FakeStream:
    """The stream of one call with its only request."""

    def __init__(self, request: bytes | None) -> None:
        self._request = request
        self.sent: asyncio.Queue[str] = asyncio.Queue()

    async def recv(self) -> bytes | None:
        return self._request

    async def send(self, message: bytes) -> None:
        name = HealthCheckResponse.parse(message).status.name
        assert name is not None
        self.sent.put_nowait(name)


def stream_for(service: str) -> Any:
    return FakeStream(bytes(HealthCheckRequest(service=service)))


def test_alive_from_the_start_and_ready_when_told() -> None:
    health = Health()
    assert health.statuses == {LIVENESS: True, READINESS: False, "": False, EXT_PROC_SERVICE: False}
    health.set_ready(True)
    assert set(health.statuses.values()) == {True}
    health.set_ready(False)
    assert health.statuses[LIVENESS]
    assert not health.statuses[EXT_PROC_SERVICE]


def test_watching_an_unknown_service_waits_until_it_is_known() -> None:
    async def watch() -> list[str]:
        health, stream = Health(), stream_for("later")
        watcher = asyncio.create_task(health.watch(stream))
        told = [await stream.sent.get()]
        health.set_serving("later", True)
        told.append(await stream.sent.get())
        watcher.cancel()
        return told

    assert asyncio.run(watch()) == ["SERVICE_UNKNOWN", "SERVING"]


def test_a_watcher_is_not_told_what_it_knows() -> None:
    async def watch() -> list[str]:
        health, stream = Health(), stream_for(READINESS)
        watcher = asyncio.create_task(health.watch(stream))
        told = [await stream.sent.get()]
        for ready in (False, True, True, False):
            health.set_ready(ready)
            for _ in range(3):
                await asyncio.sleep(0)
        watcher.cancel()
        while not stream.sent.empty():
            told.append(stream.sent.get_nowait())
        return told

    assert asyncio.run(watch()) == ["NOT_SERVING", "SERVING", "NOT_SERVING"]


@pytest.mark.parametrize(
    ("request_bytes", "status"), [(None, Status.INTERNAL), (b"\xff", Status.INVALID_ARGUMENT)]
)
def test_a_call_without_a_proper_request_is_refused(
    request_bytes: bytes | None, status: Status
) -> None:
    stream: Any = FakeStream(request_bytes)
    with pytest.raises(GRPCError) as refused:
        asyncio.run(Health().check(stream))
    assert refused.value.status is status
