"""The gRPC health service on the ExtProc port.

Why this file exists: gateways and Kubernetes probe the port that they use. What "ready" means is
the daemon's business; this file keeps the statuses that it sets and tells those who watch.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from srd.wire._pb.grpc.health.v1 import HealthCheckResponse, HealthCheckResponseServingStatus
from srd.wire.fields import Fields
from srd.wire.primitives import WireError, decode_utf8

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srd.daemon.grpc_stream import ProcessStream

LIVENESS, READINESS = "liveness", "readiness"
EXT_PROC_SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"

_UNKNOWN = HealthCheckResponseServingStatus.SERVICE_UNKNOWN


class Health:
    """Statuses by service name, and the handlers of Check and Watch.

    Alive from the start, not ready before `set_ready`.
    """

    def __init__(self) -> None:
        self._serving = {LIVENESS: True, READINESS: False, "": False, EXT_PROC_SERVICE: False}
        self._changed = asyncio.Event()  # replaced at each change

    def __repr__(self) -> str:
        return f"<Health {self._serving}>"

    @property
    def statuses(self) -> Mapping[str, bool]:
        """Which services are serving."""
        return dict(self._serving)

    def set_ready(self, ready: bool) -> None:
        """Set every service but liveness: the gateway sends new streams only when ready."""
        for service in self._serving.keys() - {LIVENESS}:
            self._serving[service] = ready
        self._notify()

    def set_serving(self, service: str, serving: bool) -> None:
        """Set one service, which is added when it is new."""
        self._serving[service] = serving
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _status(self, service: str) -> HealthCheckResponseServingStatus:
        serving = self._serving.get(service)
        if serving is None:
            return _UNKNOWN
        statuses = HealthCheckResponseServingStatus
        return statuses.SERVING if serving else statuses.NOT_SERVING

    async def check(self, stream: ProcessStream) -> None:
        """grpc.health.v1.Health/Check."""
        status = self._status(await _asked_service(stream))
        if status is _UNKNOWN:
            raise GRPCError(Status.NOT_FOUND, "unknown service")
        await stream.send(bytes(HealthCheckResponse(status=status)))

    async def watch(self, stream: ProcessStream) -> None:
        """grpc.health.v1.Health/Watch: the status now and at each change, until cancelled."""
        service = await _asked_service(stream)
        told: HealthCheckResponseServingStatus | None = None
        while True:
            changed = self._changed
            status = self._status(service)
            if status is not told:
                told = status
                await stream.send(bytes(HealthCheckResponse(status=status)))
            await changed.wait()


async def _asked_service(stream: ProcessStream) -> str:
    message = await stream.recv()
    if message is None:
        raise GRPCError(Status.INTERNAL, "no request message")
    try:
        return decode_utf8(Fields(message).raw(1) or b"", "service")
    except WireError as error:
        raise GRPCError(Status.INVALID_ARGUMENT, "not a HealthCheckRequest") from error
