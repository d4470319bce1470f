"""A real collector between srd's exporter and a receiver: what is sent arrives."""

from __future__ import annotations

import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from playbook import CONFIG

from srd.config import loads
from srd.demo.process import free_port
from srd.telemetry.record import ExchangeRecord
from srd.telemetry.tracing import open_tracing

found = find_spec("rotel")


@pytest.mark.skipif(found is None, reason="the collector (PyPI: rotel) is not installed")
def test_spans_pass_a_real_collector(monkeypatch, collector):
    receiver, address = collector
    grpc_port, http_port = free_port(), free_port()
    assert found is not None
    agent = Path(str(found.origin)).with_name("rotel-agent")
    command = [str(agent), "start", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc_port}"]
    command += ["--otlp-http-endpoint", f"127.0.0.1:{http_port}", "--exporter", "otlp"]
    command += ["--otlp-exporter-endpoint", f"http://{address}", "--batch-timeout", "50ms"]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{grpc_port}")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "through-rotel")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            tracing = open_tracing(loads(CONFIG).document)
            assert tracing is not None
            now = time.perf_counter()
            record = ExchangeRecord(opened_at=now, opened_unix_ns=time.time_ns(), metadata={})
            record.ended_at, record.outcome = now, "ok"
            tracing.begin(record)
            tracing.end(record)
            # The exporter tries again until the collector listens.
            receiver.until(lambda spans: any(s.service == "through-rotel" for s in spans))
            tracing.close()
        finally:
            process.terminate()
