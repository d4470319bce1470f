"""What the admin and metrics ports answer.

Why this file exists: probes ask whether to send traffic, operators ask what is in force, and the
classify API asks what would be decided, on the code path that serves. It must not know sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srd import __version__
from srd.backend.http import Response
from srd.daemon.admin import Call, Route, error_response, json_response
from srd.daemon.api import ClassifyApi

if TYPE_CHECKING:
    from srd.daemon.app import Daemon


class Routes:
    """The two tables of one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def admin(self) -> Mapping[str, Route]:
        """Port 8080."""
        return {
            "GET /health": self._health,
            "GET /ready": self._ready,
            "GET /config/hash": self._config_hash,
            "GET /debug/state": self._debug_state,
            "GET /version": self._version,
            **ClassifyApi(self._daemon).routes(),
        }

    def metrics(self) -> Mapping[str, Route]:
        """Port 9190."""
        return {"GET /metrics": self._metrics, "GET /health": self._health}

    async def _health(self, call: Call) -> Response:
        return json_response({"status": "healthy", "service": "srd"})

    async def _ready(self, call: Call) -> Response:
        daemon = self._daemon
        if daemon.state == "ready":
            return json_response({"status": "ready"})
        return json_response({"status": daemon.state, "reason": daemon.reason}, 503)

    async def _version(self, call: Call) -> Response:
        return json_response({"version": __version__})

    async def _config_hash(self, call: Call) -> Response:
        loaded = self._daemon.loaded
        if loaded is None:
            return error_response(503, "STARTING", "no configuration is loaded yet")
        service = self._daemon.service
        return json_response(
            {"hash": loaded.sha256, "generation": service.policy.generation if service else 0}
        )

    async def _debug_state(self, call: Call) -> Response:
        """Loopback only: states and sizes, never content."""
        if not call.loopback:
            return error_response(403, "FORBIDDEN", "only from this machine")
        service = self._daemon.service
        if service is None:
            return error_response(503, "STARTING", "not serving yet")
        return json_response(
            {
                "state": self._daemon.state,
                "open_streams": service.open_streams,
                "held_bytes": service.held_bytes,
                "policy": repr(service.policy),
                "streams": [repr(stream) for stream in service.streams.values()],
            }
        )

    async def _metrics(self, call: Call) -> Response:
        body, kind = self._daemon.metrics.render(call.head.headers.get("accept", ""))
        return Response(200, body, content_type=kind)
