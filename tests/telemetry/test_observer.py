from __future__ import annotations

import json
import logging

import pytest
from click import unstyle
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from playbook import CONFIG, by_words, policy_of

from srd.cli.explain import render as explain
from srd.exchange.commands import Noted, NoteKind
from srd.exchange.offline import run_body
from srd.telemetry.logs import JsonFormatter
from srd.telemetry.observer import Renderings, decision_fields
from srd.telemetry.tracing import Sampling, Tracing

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "the derivative of x^3?"}]}
CORPUS = [
    CHAT,
    CHAT | {"messages": [{"role": "user", "content": "urgent: call me"}]},
    CHAT | {"model": "law-expert"},
    CHAT | {"messages": [{"role": "user", "content": "the derivative " * 400}]},
    CHAT | {"messages": [{"role": "user", "content": "nothing in particular"}]},
]


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def renderings(metrics, spans):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return Renderings(metrics, Tracing(provider, Sampling()))


@pytest.mark.parametrize("document", CORPUS)
def test_span_line_headers_and_explanation_say_the_same(
    policy, exchange, renderings, spans, caplog, document
):
    raw = json.dumps(document).encode()
    record, headers = exchange(raw)
    caplog.set_level(logging.INFO, logger="srd")
    renderings.opened(record)
    renderings.headers(record)
    renderings.decided(record)
    renderings.ended(record)
    (line,) = [r for r in caplog.records if r.msg == "routing_decision"]
    said = json.loads(JsonFormatter().format(line))
    span = dict(spans.get_finished_spans()[-1].attributes)
    outcome = run_body(policy, raw, by_words)
    explained = unstyle("\n".join(explain(policy.document, outcome, raw)))

    assert said["selected_model"] == span["routing.selected_model"]
    assert said["selected_model"] == headers["x-vsr-selected-model"]
    assert f"model       {said['selected_model']}" in explained
    assert said["decision"] == span["decision.name"]
    assert said["decision"] == headers.get("x-vsr-selected-decision", "")
    assert f"decision    {said['decision'] or '('}" in explained
    assert said["basis"] == span["srd.basis"] == headers["x-vsr-decision-basis"]
    assert f"basis       {said['basis']}, " in explained
    assert said["category"] == span["category.name"] == headers.get("x-vsr-selected-category", "")
    if said["decision"]:
        assert headers["x-vsr-selected-confidence"] == f"{span['decision.confidence']:.4f}"
        assert f"confidence  {span['decision.confidence']:.4f}" in explained
        assert said["confidence"] == pytest.approx(span["decision.confidence"], abs=1e-4)
    assert said["reasoning_enabled"] == (headers.get("x-vsr-selected-reasoning") == "on")
    assert said["bytes_at_decision"] == span["srd.bytes_at_decision"]


def test_every_rendering_tells_the_same_evidence(policy, exchange, renderings, spans, caplog):
    turns = ["what does a contract bind", "the weather is nice", "x " * 9000]
    messages = [{"role": "user", "content": text} for text in turns]
    raw = json.dumps({"model": "auto", "messages": messages}).encode()
    about = policy_of(CONFIG.replace("budget_bytes: 2000", "budget_bytes: 90000"))
    record, headers = exchange(raw, extra={"x-vsr-debug": "true"}, about=about)
    caplog.set_level(logging.INFO, logger="srd")
    renderings.headers(record)
    renderings.decided(record)
    renderings.ended(record)
    (line,) = [r for r in caplog.records if r.msg == "routing_decision"]
    said = json.loads(JsonFormatter().format(line))
    span = dict(spans.get_finished_spans()[-1].attributes)
    assert span["srd.evidence"] == headers["x-vsr-decision-evidence"]
    assert said["held"] == span["srd.held"]
    assert said["held"] == "held since turn 1: law .97; turn 3 said other .60"
    assert (said["turn"], said["turns"]) == (span["srd.turn"], span["srd.turns"]) == (1, 3)
    assert said["pinned"] == span["srd.pinned"] == ""
    assert said["characters_unread"] == span["srd.characters_unread"] > 0
    outcome = run_body(about, raw, by_words)
    shown = unstyle("\n".join(explain(about.document, outcome, raw)))
    assert f"evidence    {headers['x-vsr-decision-evidence']}" in shown


def test_a_decision_on_no_text_has_no_evidence_to_tell(exchange, renderings, spans):
    record, headers = exchange(json.dumps(CHAT | {"model": "law-expert"}).encode(),
                               extra={"x-vsr-debug": "true"})  # fmt: skip
    renderings.headers(record)
    renderings.ended(record)
    assert "x-vsr-decision-evidence" not in headers
    assert "srd.evidence" not in spans.get_finished_spans()[-1].attributes
    assert decision_fields(record.decision, record)["turn"] == 0


def test_a_rendering_that_breaks_touches_nobody(metrics, exchange, monkeypatch, caplog):
    def broken(*_: object) -> None:
        raise RuntimeError("injected")

    monkeypatch.setattr(metrics, "decided", broken, raising=False)
    record, _ = exchange()
    renderings = Renderings(metrics, None)
    renderings.opened(record)
    renderings.decided(record)
    renderings.ended(record)
    assert renderings.failures == 1


def test_no_secret_is_in_any_rendering(exchange, renderings, spans, caplog, metrics):
    secrets = {"authorization": "Bearer CANARY-1", "x-api-key": "CANARY-2", "cookie": "CANARY-3"}
    raw = json.dumps(CHAT | {"user": "CANARY-4", "metadata": {"k": "CANARY-5"}})
    raw = raw.replace("the derivative", "CANARY-6 the derivative")
    caplog.set_level(logging.DEBUG)
    for text in (raw, raw.replace('"auto"', '"CANARY-7"'), raw[:-3]):
        record, headers = exchange(text.encode(), extra=secrets)
        renderings.opened(record)
        renderings.headers(record)
        renderings.decided(record)
        renderings.ended(record)
        assert "CANARY" not in str(headers)
    lines = "\n".join(JsonFormatter().format(r) for r in caplog.records)
    told = lines + str([span.to_json() for span in spans.get_finished_spans()])
    told += metrics.render("")[0].decode()
    assert "CANARY" not in told


def test_the_fields_are_upstreams(exchange):
    record, _ = exchange()
    fields = decision_fields(record.decision, record)
    for name in ("reason_code", "original_model", "selected_model", "decision"):
        assert name in fields
    assert fields["routing_latency_ms"] == pytest.approx(3.0, abs=0.01)


def test_refusals_are_counted_by_reason_and_what_is_only_observed_is_logged_with_its_leaves(
    exchange, metrics, caplog
):
    record, _ = exchange()
    renderings = Renderings(metrics, None)
    caplog.set_level(logging.INFO, logger="srd")
    unanswered = "policy_unanswered: jailbreak:attack, pii:any"
    for note in (
        Noted(NoteKind.REFUSED, unanswered),
        Noted(NoteKind.REFUSED, "charset"),
        Noted(NoteKind.WOULD_REFUSE, unanswered),
    ):
        renderings.noted(record, note)
    told = metrics.render("")[0].decode()
    for line in (
        'srd_refused_total{reason="policy_unanswered"} 1',
        'srd_refused_total{reason="charset"} 1',
        'srd_would_refuse_total{reason="policy_unanswered"} 1',
    ):
        assert line in told
    assert "jailbreak:attack" not in told
    (line,) = [json.loads(JsonFormatter().format(one)) for one in caplog.records]
    assert (line["event"], line["reason"]) == ("would_refuse", "policy_unanswered")
    assert line["detail"] == unanswered


def test_a_refusal_stands_in_the_line_of_the_exchanges_end(exchange, metrics, caplog):
    record, _ = exchange()
    record.outcome, record.refused_status = "refused", 503
    record.notes["refused"] = "policy_unanswered: jailbreak:attack"
    caplog.set_level(logging.INFO, logger="srd")
    Renderings(metrics, None).ended(record)
    (line,) = [r for r in caplog.records if r.msg == "exchange_ended"]
    assert json.loads(JsonFormatter().format(line))["refused"] == record.notes["refused"]


def test_notes_are_counted_by_kind_and_the_first_of_each_late_name_is_logged(
    exchange, metrics, caplog
):
    record, _ = exchange()
    renderings = Renderings(metrics, None)
    caplog.set_level(logging.INFO, logger="srd")
    for note in (
        Noted(NoteKind.LATE_MODEL_NAME, "one"),
        Noted(NoteKind.LATE_MODEL_NAME, "one"),
        Noted(NoteKind.LATE_MODEL_NAME, "two"),
        Noted(NoteKind.UNREAD, "content_type"),
        Noted(NoteKind.FAULT, "MemoryError", MemoryError()),
        Noted(NoteKind.PARTIAL_UNROUTABLE),
    ):
        renderings.noted(record, note)
    fields = [json.loads(JsonFormatter().format(line)) for line in caplog.records]
    assert [said["requested_model"] for said in fields] == ["one", "two"]
    told = metrics.render("")[0].decode()
    for line in (
        "srd_late_model_names_total 3",
        'srd_unread_total{reason="content_type"} 1',
        'srd_faults_total{error="MemoryError"} 1',
        'srd_notes_total{kind="partial_unroutable"} 1',
        'srd_notes_total{kind="late_model_name"} 3',
    ):
        assert line in told
    assert renderings.failures == 0
