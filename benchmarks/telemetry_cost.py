"""What telemetry costs a request in CPU, as differences of interleaved rounds.

Each round renders the same finished exchange N times with nothing, with metrics, and with tracing
unsampled and sampled beside metrics, in turn; the figure is the median over rounds of the
difference. Spans go to the real queue, whose
exporter drops them: export is on another thread in the daemon, and
its cost is the exporter's. Log lines are off. Writes benchmarks/results/telemetry_cost.json.

    python benchmarks/telemetry_cost.py
"""

from __future__ import annotations

import copy
import json
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from playbook import CONFIG, policy_of

from srd.exchange.facts import read_headers
from srd.exchange.offline import run_body
from srd.telemetry.metrics import Metrics
from srd.telemetry.observer import Renderings
from srd.telemetry.record import ClassifierRun, ExchangeRecord, NullObserver
from srd.telemetry.tracing import Sampling, Tracing

REQUESTS, ROUNDS = 2000, 15
BODY = b'{"model":"auto","messages":[{"role":"user","content":"the derivative of x^3?"}]}'


class Nowhere(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.SUCCESS


HEADERS = (
    (":authority", b"example"),
    (":path", b"/v1/chat/completions"),
    (":method", b"POST"),
    ("content-type", b"application/json"),
    ("x-request-id", b"7d1c0c3e-6a55-4b2f-9d0c-111111111111"),
    ("authorization", b"Bearer x"),
    ("user-agent", b"bench"),
)


def record(parent: str) -> ExchangeRecord:
    from playbook import by_words

    now = time.perf_counter()
    outcome = run_body(policy_of(CONFIG), BODY, by_words)
    made = ExchangeRecord(
        opened_at=now, opened_unix_ns=time.time_ns(), metadata={"traceparent": parent}
    )
    made.facts = read_headers(HEADERS)
    made.headers_at = made.first_byte_at = made.evidence_at = now + 0.001
    made.decided_at, made.replied_at, made.ended_at = now + 0.003, now + 0.004, now + 0.2
    made.runs.append(ClassifierRun(64, ("domain",), now + 0.001, now + 0.003, "encoder", 9))
    made.decision, made.outcome = outcome.decision, "ok"
    return made


def cpu(observer: object, kept: ExchangeRecord) -> float:
    """CPU microseconds per request of this thread."""
    began = time.thread_time()
    for _ in range(REQUESTS):
        seen = copy.copy(kept)
        observer.opened(seen)  # type: ignore[attr-defined]
        observer.decided(seen)  # type: ignore[attr-defined]
        observer.headers(seen)  # type: ignore[attr-defined]
        observer.ended(seen)  # type: ignore[attr-defined]
    return (time.thread_time() - began) / REQUESTS * 1e6


def main() -> None:
    daemon = SimpleNamespace(state="ready", reloads={}, service=None)
    yes, no = (f"00-{'ab' * 16}-{'cd' * 8}-0{flag}" for flag in (1, 0))
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    tracing = Tracing(provider, Sampling())
    cases = {
        "nothing": (NullObserver(), record(no)),
        "metrics": (Renderings(Metrics(daemon), None), record(no)),
        "unsampled": (Renderings(Metrics(daemon), tracing), record(no)),
        "sampled": (Renderings(Metrics(daemon), tracing), record(yes)),
    }
    rounds = [{name: cpu(*case) for name, case in cases.items()} for _ in range(ROUNDS)]

    def difference(more: str, less: str) -> float:
        return round(statistics.median(r[more] - r[less] for r in rounds), 2)

    figures = {
        "metrics_us": difference("metrics", "nothing"),
        "tracing_unsampled_us": difference("unsampled", "metrics"),
        "tracing_sampled_us": difference("sampled", "metrics"),
        "requests_per_round": REQUESTS,
        "rounds": ROUNDS,
    }
    path = Path(__file__).with_name("results") / "telemetry_cost.json"
    path.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
