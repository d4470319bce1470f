"""What traces are sent to, and one real scrape of everything that srd counts.

receiver      an OTLP/gRPC collector inside the test; receiver.until(...) waits for spans
traffic       an `srd serve` behind a real Envoy whose tracer is on, both sending to `receiver`
scrape        the text of /metrics after requests of every kind
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services
from stage import CONFIG

from srd.backend import BackgroundBackend
from srd.demo.client import Client
from srd.demo.envoy import Envoy, EnvoyConfig, missing_reason
from srd.demo.process import get
from srd.demo.serve import Srd

SECONDS = 20.0


@dataclass(frozen=True)
class Span:
    """A span as it arrived, ids in hex."""

    service: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any] = field(hash=False, default_factory=dict)


class Receiver(services.TraceServiceServicer):
    """Keeps every span."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.raw = b""
        self._changed = threading.Condition()

    def Export(self, request: Any, context: Any) -> Any:
        with self._changed:
            self.raw += request.SerializeToString()
            for resource in request.resource_spans:
                service = _attributes(resource.resource.attributes).get("service.name", "")
                for scope in resource.scope_spans:
                    self.spans += [_span(service, span) for span in scope.spans]
            self._changed.notify_all()
        return messages.ExportTraceServiceResponse()

    def until(self, happened: Callable[[list[Span]], bool]) -> list[Span]:
        with self._changed:
            arrived = self._changed.wait_for(lambda: happened(self.spans), SECONDS)
            assert arrived, f"only these arrived: {[(s.service, s.name) for s in self.spans]}"
            return list(self.spans)


def _span(service: str, span: Any) -> Span:
    return Span(
        service, span.name, span.kind, span.trace_id.hex(), span.span_id.hex(),
        span.parent_span_id.hex(), _attributes(span.attributes),
    )  # fmt: skip


def _attributes(pairs: Any) -> dict[str, Any]:
    return {p.key: getattr(p.value, str(p.value.WhichOneof("value"))) for p in pairs}


@contextlib.contextmanager
def receiving() -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(4))
    services.add_TraceServiceServicer_to_server(receiver, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield receiver, f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture(scope="session")
def collector() -> Iterator[tuple[Receiver, str]]:
    with receiving() as started:
        yield started


@pytest.fixture(scope="session")
def receiver(collector: tuple[Receiver, str]) -> Receiver:
    return collector[0]


@dataclass
class Traffic:
    """Everything between a caller and a backend."""

    srd: Srd
    envoy: Envoy
    backend: BackgroundBackend

    def chat(self, document: Any, headers: dict[str, str] | None = None, on: str = "duplex") -> Any:
        with Client(self.envoy.ports[on]) as client:
            return client.chat(document, headers)

    def scrape(self) -> str:
        return get(self.srd.metrics_port, "/metrics")[1].decode()


class Prompt(EnvoyConfig):
    """An Envoy that exports each span at once, the call of the backend as one of its own."""

    def document(self) -> dict[str, Any]:
        runtime = {"tracing.opentelemetry.min_flush_spans": 1}
        layers = {"layers": [{"name": "static", "static_layer": runtime}]}
        document = EnvoyConfig.document(self) | {"layered_runtime": layers}
        for listener in document["static_resources"]["listeners"]:
            (manager,) = listener["filter_chains"][0]["filters"]
            # The call of the backend is a span of its own, and the backend's parent.
            manager["typed_config"]["tracing"]["spawn_upstream_span"] = True
        return document


@pytest.fixture(scope="session")
def traffic(
    collector: tuple[Receiver, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Traffic]:
    if reason := missing_reason():
        pytest.skip(reason)
    path = tmp_path_factory.mktemp("otel") / "config.yaml"
    path.write_text(CONFIG)
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector[1]}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    with contextlib.ExitStack() as stack:
        backend = stack.enter_context(BackgroundBackend())
        srd = stack.enter_context(
            Srd(path, environment=environment, arguments=("--log-level", "debug"))
        )
        config = Prompt(
            processor=srd.address, backend=f"127.0.0.1:{backend.port}", tracer=collector[1]
        )
        yield Traffic(srd, stack.enter_context(Envoy(config)), backend)


def asked(content: str, model: str = "auto") -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": content}]}


@pytest.fixture(scope="session")
def ask() -> Callable[..., dict[str, Any]]:
    return asked


@pytest.fixture(scope="session")
def scrape(traffic: Traffic) -> str:
    for document in (
        asked("What is the derivative of x^3?"),
        asked("hello"),
        asked("forbidden"),
        asked("hello", "math-expert"),
        asked("the derivative " + "filler " * 2000),
    ):
        traffic.chat(document)
    traffic.chat(b"{")
    return traffic.scrape()
