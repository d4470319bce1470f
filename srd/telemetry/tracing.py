"""One span per sampled exchange, joined to the gateway's trace.

Why this file exists: whose child a decision is, and whether it is recorded at all, is settled
before anything is built, so that an unsampled exchange costs next to nothing. Export runs on a
thread of the SDK; a dead collector is its problem, never a request's.

Parent: `traceparent` of the gRPC metadata (Envoy's own span), else of the request's headers
(AgentGateway up to 1.4), else a new root. Sampling is parent-based. The request's own `traceparent`
is never replaced. Never prompt text.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from srd import DISTRIBUTION, __version__
from srd.decide.decision import Decision
from srd.evidence.account import line, pin
from srd.exchange.commands import Observed
from srd.telemetry.record import ExchangeRecord

if TYPE_CHECKING:
    from srd.config import Document

REQUEST = "semantic_router.request.received"
DECISION = "semantic_router.decision.evaluation"
CLASSIFICATION = "semantic_router.classification"
# W3C: version 00 ends after the flags, a later one may go on behind a dash, ff is no version.
_TRACEPARENT = re.compile(
    r"(?:00|(?!00|ff)[0-9a-f]{2}(?=.{53}(?:-|$)))-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})"
)
_LOW = (1 << 64) - 1
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_UNSET = Status(StatusCode.UNSET)
_SCOPE = InstrumentationScope("semantic-router", __version__)

Value = str | bool | int | float | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parent:
    """A remote parent."""

    trace_id: int
    span_id: int
    sampled: bool

    @property
    def context(self) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED if self.sampled else 0)
        return SpanContext(self.trace_id, self.span_id, is_remote=True, trace_flags=flags)


def parse(traceparent: str) -> Parent | None:
    """The parent that a W3C `traceparent` names; None when it is absent or malformed."""
    match = _TRACEPARENT.match(traceparent)
    if match is None or (len(traceparent) != 55 and traceparent.startswith("00")):
        return None
    trace_id, span_id = int(match[1], 16), int(match[2], 16)
    if not trace_id or not span_id:
        return None
    return Parent(trace_id, span_id, bool(int(match[3], 16) & 1))


def parent_of(record: ExchangeRecord) -> Parent | None:
    """See the file's header."""
    found = parse(record.metadata.get("traceparent", ""))
    if found is None and record.facts is not None:
        found = parse(record.facts.headers.get("traceparent", ""))
    return found


@dataclass(frozen=True, slots=True)
class Sampling:
    """Root ratio, and whether a parent's word counts."""

    ratio: float = 1.0
    parent_based: bool = True

    def keeps(self, parent: Parent | None) -> bool:
        if parent is not None:
            if self.parent_based:
                return parent.sampled
            # As the SDK's ratio sampler: every hop that sees this trace judges alike.
            return parent.trace_id & _LOW < self.ratio * (_LOW + 1)
        return self.ratio >= 1.0 or random.random() < self.ratio


class Tracing:
    """Builds spans from records. `inject`: give a sampled request without `traceparent` ours."""

    def __init__(
        self, provider: TracerProvider, sampling: Sampling, *, inject: bool = False
    ) -> None:
        self._provider = provider
        self._ids = provider.id_generator
        self._sampling = sampling
        self._inject = inject

    def begin(self, record: ExchangeRecord) -> None:
        """Decide whether this exchange is recorded; its parent is known once headers are."""
        parent = parent_of(record)
        if self._sampling.keeps(parent):
            ids = self._ids
            trace_id = ids.generate_trace_id() if parent is None else parent.trace_id
            record.span = SpanContext(trace_id, ids.generate_span_id(), False, _SAMPLED)

    def request_headers(self, record: ExchangeRecord) -> tuple[tuple[str, bytes], ...]:
        """Trace context for the upstream, where the request carries none and it is wanted."""
        context = record.span
        if not self._inject or not isinstance(context, SpanContext) or record.facts is None:
            return ()
        if "traceparent" in record.facts.headers:
            return ()
        value = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
        return (("traceparent", value.encode()),)

    def end(self, record: ExchangeRecord) -> None:
        """The span and its children, with the record's own times, handed to the exporter's queue.

        Built finished: a live span of the SDK locks and checks at every attribute, which doubled
        the cost of a sampled exchange.
        """
        context = record.span
        if not isinstance(context, SpanContext):
            return
        for run in record.runs:
            said: dict[str, Value] = {
                "classifier.type": run.stage or "failed",
                "srd.window": run.window,
                "srd.tokens": run.tokens,
                "srd.heads": ",".join(run.heads),
            }
            if run.failure:
                said["srd.failure"] = run.failure
            times = _at(record, run.began_at), _at(record, run.ended_at or record.ended_at)
            self._child(CLASSIFICATION, context, said, times)
        decision = record.decision
        if decision is not None and record.first_byte_at:
            of_rules: dict[str, Value] = {
                "decision.name": decision.name or "",
                "decision.confidence": decision.confidence,
                "decision.matched_rules": ",".join(decision.matched),
            }
            times = _at(record, record.first_byte_at), _at(record, record.decided_at)
            self._child(DECISION, context, of_rules, times)
        parent = parent_of(record)
        failed = record.outcome in ("internal", "undecodable", "protocol_error")
        self._emit(
            REQUEST,
            context,
            None if parent is None else parent.context,
            attributes(record),
            (record.opened_unix_ns, _at(record, record.ended_at)),
            SpanKind.SERVER,
            Status(StatusCode.ERROR, record.note) if failed else _UNSET,
        )

    def _child(
        self, name: str, parent: SpanContext, said: dict[str, Value], times: tuple[int, int]
    ) -> None:
        ids = SpanContext(parent.trace_id, self._ids.generate_span_id(), False, _SAMPLED)
        self._emit(name, ids, parent, said, times, SpanKind.INTERNAL, _UNSET)

    def _emit(
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        said: dict[str, Value],
        times: tuple[int, int],
        kind: SpanKind,
        status: Status,
    ) -> None:
        span = ReadableSpan(
            name,
            context,
            parent,
            self._provider.resource,
            said,
            kind=kind,
            status=status,
            start_time=times[0],
            end_time=times[1],
            instrumentation_scope=_SCOPE,
        )
        self._provider._active_span_processor.on_end(span)

    def close(self) -> None:
        """Flush for a moment, then stop."""
        self._provider.force_flush(2000)
        self._provider.shutdown()


def trace_id(record: ExchangeRecord) -> str:
    """32 hex digits of the exchange's trace, "" when it is in none."""
    span = record.span
    if isinstance(span, SpanContext):
        return f"{span.trace_id:032x}"
    parent = parent_of(record)
    return "" if parent is None else f"{parent.trace_id:032x}"


def _at(record: ExchangeRecord, moment: float) -> int:
    """A perf_counter moment as Unix nanoseconds."""
    return record.opened_unix_ns + int((moment - record.opened_at) * 1e9)


def attributes(record: ExchangeRecord) -> dict[str, Value]:
    """The span's attributes: upstream's and the GenAI conventions' names where there is one."""
    values: dict[str, Value] = {
        "srd.outcome": record.outcome,
        "srd.body_mode": record.request_mode,
        "srd.bytes_in": record.bytes_in,
        "srd.bytes_out": record.bytes_out,
    }
    if record.facts is not None:
        values["request.id"] = record.request_id
        values["http.method"] = record.facts.method
        values["http.path"] = record.facts.path.split("?", 1)[0]
    if record.refused_status:
        values["http.status_code"] = record.refused_status
    if record.note:
        values["srd.note"] = record.note
    for kind, detail in record.notes.items():
        values[f"srd.note.{kind}"] = detail
    if record.decision is not None:
        values |= decision_attributes(record.decision)
        if record.first_byte_at:
            waited = record.decided_at - record.first_byte_at
            values["srd.time_to_decision_ms"] = round(waited * 1000, 3)
    observed = record.observed
    if observed is not None:
        values["http.response.status_code"] = observed.status
        values["gen_ai.request.stream"] = observed.streamed
        values |= usage_attributes(observed)
    return values


def usage_attributes(observed: Observed) -> dict[str, Value]:
    """The answer's own words. What was not observed is left out, and `srd.usage` says so."""
    said: dict[str, Value | None] = {
        "srd.usage": observed.usage,
        "gen_ai.response.model": observed.model,
        "gen_ai.usage.input_tokens": observed.prompt_tokens,
        "gen_ai.usage.output_tokens": observed.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": observed.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": observed.cache_write_tokens,
        "gen_ai.response.finish_reasons": observed.finish_reason and (observed.finish_reason,),
    }
    return {name: value for name, value in said.items() if value is not None}


def decision_attributes(decision: Decision) -> dict[str, Value]:
    """A Decision as attributes; one of its four renderings."""
    values: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": decision.requested_model or "",
        "routing.original_model": decision.requested_model or "",
        "routing.selected_model": decision.model,
        "routing.reason": "model_specified" if decision.basis == "explicit" else "auto_routing",
        "decision.name": decision.name or "",
        "decision.confidence": decision.confidence,
        "decision.matched_rules": ",".join(decision.matched),
        "category.name": decision.category or "",
        "srd.basis": str(decision.basis),
        "srd.bytes_at_decision": decision.bytes_read,
        "srd.bytes_held": decision.bytes_held,
        "srd.tokens_at_decision": decision.tokens_read,
        "srd.stage": decision.stage,
        "srd.memo_hit": decision.basis == "memo",
        "srd.fallback": decision.basis == "fallback",
    }
    account = decision.account
    if account is not None:
        values |= {
            "srd.evidence": line(account),
            "srd.turn": account.turn,
            "srd.turns": len(account.turns),
            "srd.held": account.held,
            "srd.pinned": pin(account),
            "srd.characters_unread": account.unread,
        }
    if decision.margin is not None:
        values["srd.margin"] = decision.margin
    if decision.fallback_reason:
        values["srd.fallback_reason"] = decision.fallback_reason
    if decision.reasoning is not None:
        values["model.reasoning_enabled"] = decision.reasoning.enabled
        values["model.reasoning_effort"] = decision.reasoning.effort
    for fact in decision.signals:
        use = "blocking_signal" if fact.blocking else "signal"
        values[f"srd.{use}.{fact.type}.{fact.name}"] = fact.value
    return values


# -- what the operator says ------------------------------------------------------------------------


def open_tracing(document: Document, environ: Mapping[str, str] = os.environ) -> Tracing | None:
    """Tracing by the OTEL_* environment first, by the document below it; None when it is off.

    :raises RuntimeError: if the exporter that is asked for is not installed; says what to install.
    """
    tracing = document.global_.services.observability.tracing
    endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get(
        "OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if disabled or environ.get("OTEL_TRACES_EXPORTER", "") == "none":
        return None
    exporter: SpanExporter | None = None
    wanted = tracing.enabled is not False
    if endpoint:
        exporter = _otlp(environ, "")
    elif wanted and tracing.exporter.type == "stdout":
        exporter = ConsoleSpanExporter()
    elif wanted and tracing.exporter.endpoint:
        exporter = _otlp(environ, tracing.exporter.endpoint, insecure=tracing.exporter.insecure)
    if exporter is None:
        return None
    named = {"service.name": tracing.resource.service_name or "srd"}
    if tracing.resource.service_version:
        named["service.version"] = tracing.resource.service_version
    if tracing.resource.deployment_environment:
        named["deployment.environment"] = tracing.resource.deployment_environment
    if environ.get("OTEL_SERVICE_NAME"):
        named["service.name"] = environ["OTEL_SERVICE_NAME"]
    # Resource.create lets its argument win over OTEL_RESOURCE_ATTRIBUTES; the environment must.
    said = OTELResourceDetector().detect().attributes if environ is os.environ else {}
    named = {key: value for key, value in named.items() if key not in said}
    provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource.create(dict(named)))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    inject = environ.get("SRD_TRACE_INJECT", "never") == "when-absent"
    return Tracing(provider, _sampling(environ, document), inject=inject)


def _otlp(environ: Mapping[str, str], endpoint: str, *, insecure: bool = True) -> SpanExporter:
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"
    )
    try:
        if protocol.startswith("http"):
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
                OTLPSpanExporter as HttpExporter,
            )

            return (
                HttpExporter(endpoint=f"http://{endpoint}/v1/traces")
                if endpoint
                else HttpExporter()
            )
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return (
            OTLPSpanExporter(endpoint=endpoint, insecure=insecure)
            if endpoint
            else OTLPSpanExporter()
        )
    except ImportError as missing:
        extra = "otlp-http" if protocol.startswith("http") else "otlp-grpc"
        raise RuntimeError(
            f"traces are to go out by OTLP, but the exporter is not installed: "
            f"pip install '{DISTRIBUTION}[{extra}]' ({missing.name})"
        ) from None


def _sampling(environ: Mapping[str, str], document: Document) -> Sampling:
    tracing = document.global_.services.observability.tracing
    name = environ.get("OTEL_TRACES_SAMPLER", "")
    if name:
        argument = environ.get("OTEL_TRACES_SAMPLER_ARG", "1.0")
        base = name.removeprefix("parentbased_")
        ratio = {"always_on": 1.0, "always_off": 0.0}.get(base, _ratio(argument))
        return Sampling(ratio, name.startswith("parentbased_"))
    kind = tracing.sampling.type
    if kind == "always_off":
        return Sampling(0.0)
    return Sampling(1.0 if kind == "always_on" else tracing.sampling.rate)


def _ratio(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0
