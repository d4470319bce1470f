"""A collector that accepts and never answers touches no request."""

from __future__ import annotations

import socket
import time

from playbook import CONFIG

from srd.config import loads
from srd.telemetry.record import ExchangeRecord
from srd.telemetry.tracing import Tracing, open_tracing


def _exchange(tracing: Tracing) -> float:
    now = time.perf_counter()
    record = ExchangeRecord(opened_at=now, opened_unix_ns=time.time_ns(), metadata={})
    record.first_byte_at = record.decided_at = record.ended_at = now
    record.outcome = "ok"
    tracing.begin(record)
    tracing.end(record)
    return time.perf_counter() - now


def test_a_silent_collector_only_loses_spans(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        # The exporter reads the process's environment, so a copy of it would not do.
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        tracing = open_tracing(loads(CONFIG).document)
        assert tracing is not None
        # More than the queue holds, so that it is full and drops.
        spent = [_exchange(tracing) for _ in range(5000)]
        # Not one call waited for the exporter: the bound is loose, a full queue that blocked hangs.
        assert max(spent) < 5
        assert sum(spent) < 5
    tracing.close()
