from __future__ import annotations

from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from playbook import CONFIG

from srd.config import loads
from srd.decide.decision import SignalFact
from srd.telemetry.tracing import Sampling, Tracing, open_tracing, parse, trace_id

SAMPLED = f"00-{'ab' * 16}-{'cd' * 8}-01"
UNSAMPLED = SAMPLED[:-1] + "0"


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return Tracing(provider, Sampling(), inject=True)


def run(tracing, record):
    tracing.begin(record)
    tracing.end(record)


@pytest.mark.parametrize("text", ["", "00-0-0-01", f"00-{'0' * 32}-{'cd' * 8}-01", "x" * 55])
def test_a_malformed_traceparent_is_no_parent(text):
    assert parse(text) is None


def test_metadata_comes_before_headers(tracing, spans, exchange):
    header = SAMPLED.replace("ab", "12")
    record, _ = exchange(extra={"traceparent": header}, metadata={"traceparent": SAMPLED})
    run(tracing, record)
    (root,) = [span for span in spans.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert f"{root.context.trace_id:032x}" == "ab" * 16
    assert f"{root.parent.span_id:016x}" == "cd" * 8
    assert trace_id(record) == "ab" * 16


def test_without_metadata_the_header_is_the_parent_and_is_never_replaced(tracing, spans, exchange):
    record, _ = exchange(extra={"traceparent": SAMPLED})
    tracing.begin(record)
    assert tracing.request_headers(record) == ()
    tracing.end(record)
    assert f"{spans.get_finished_spans()[-1].context.trace_id:032x}" == "ab" * 16


def test_without_any_a_new_trace_begins_and_may_be_handed_on(tracing, exchange):
    record, _ = exchange()
    tracing.begin(record)
    ((name, value),) = tracing.request_headers(record)
    assert name == "traceparent"
    assert parse(value.decode()) is not None
    tracing.end(record)


def test_an_unsampled_parent_costs_no_span(tracing, spans, exchange):
    record, _ = exchange(metadata={"traceparent": UNSAMPLED})
    run(tracing, record)
    assert record.span is None
    assert spans.get_finished_spans() == ()


def test_a_signal_in_both_its_uses_has_an_attribute_for_each(tracing, spans, exchange):
    record, _ = exchange()
    facts = (SignalFact("keyword", "k", "true", blocking=True), SignalFact("keyword", "k", "false"))
    record.decision = replace(record.decision, signals=facts)
    run(tracing, record)
    told = {k: v for span in spans.get_finished_spans() for k, v in span.attributes.items()}
    assert told["srd.blocking_signal.keyword.k"] == "true"
    assert told["srd.signal.keyword.k"] == "false"


def test_children_stand_where_time_was_spent(tracing, spans, exchange):
    record, _ = exchange()
    run(tracing, record)
    names = [span.name for span in spans.get_finished_spans()]
    assert names == [
        "semantic_router.classification",
        "semantic_router.decision.evaluation",
        "semantic_router.request.received",
    ]
    child, decision, root = spans.get_finished_spans()
    assert child.parent.span_id == decision.parent.span_id == root.context.span_id
    assert root.start_time <= decision.start_time <= decision.end_time <= root.end_time


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:1", "OTEL_TRACES_EXPORTER": "none"}, None),
    ],
)  # fmt: skip
def test_it_is_off_until_an_endpoint_is_named(environ, expected):
    assert open_tracing(loads(CONFIG).document, environ) is expected


def test_the_environment_comes_before_the_document():
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
        "OTEL_SERVICE_NAME": "router-a",
    }
    tracing = open_tracing(loads(CONFIG).document, environ)
    assert tracing is not None
    assert tracing._sampling == Sampling(0.25, parent_based=True)
    assert tracing._provider.resource.attributes["service.name"] == "router-a"
    tracing._provider.shutdown()


def test_versions_of_traceparent_are_read_as_the_recommendation_says():
    rest = SAMPLED[2:]
    assert parse("00" + rest) == parse("01" + rest) == parse("01" + rest + "-more")
    assert parse("00" + rest) is not None
    assert [parse(t) for t in ("ff" + rest, "00" + rest + "-more", "01" + rest + "x")] == [None] * 3


def test_without_parent_based_sampling_a_trace_is_judged_by_its_id():
    low, high = parse(f"00-{'1' * 32}-{'cd' * 8}-00"), parse(f"00-{'e' * 32}-{'cd' * 8}-01")
    sampling = Sampling(0.5, parent_based=False)
    assert (sampling.keeps(low), sampling.keeps(high)) == (True, False)


def test_resource_attributes_of_the_environment_come_before_the_document(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=router-b")
    tracing = open_tracing(loads(CONFIG).document)
    assert tracing is not None
    assert tracing._provider.resource.attributes["service.name"] == "router-b"
    tracing._provider.shutdown()
