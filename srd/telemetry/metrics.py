"""What is counted of every exchange, under upstream's names and ours.

Why this file exists: dashboards ask for upstream's `llm_*`; what upstream cannot see, because it
waits for the end of the body, is `srd_*`. Label values come from the document or from fixed sets of
ours, never from a client. It must not know spans or log lines.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from srd import __version__
from srd.decide.decision import Basis, Decision
from srd.exchange.commands import Noted, NoteKind, Observed
from srd.plugins.table import TABLE
from srd.telemetry.exposition import (
    BYTES,
    SECONDS,
    SHARES,
    TOKENS,
    Counter,
    Family,
    Gauge,
    Histogram,
    ReadCounter,
    render,
)
from srd.telemetry.record import ExchangeRecord

if TYPE_CHECKING:
    from srd.config import Document
    from srd.daemon.app import Daemon

#: What a fallback may be blamed on; anything else counts as "classifier_unavailable".
FALLBACK_REASONS = frozenset(
    {"classifier_timeout", "no_classifier", "classifier_error", "internal"}
)
OUTCOMES = ("ok", "refused", "aborted", "protocol_error", "undecodable", "internal")


class Metrics:
    """The families of one process. Counting happens on the event loop."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._inflight: dict[tuple[str, ...], float] = {}
        self._requests = Counter("llm_model_requests", "Requests by selected model.", ("model",))
        self._errors = Counter("llm_request_errors", "Failures.", ("model", "reason"))
        self._modified = Counter(
            "llm_model_routing_modifications",
            "Requests whose model name was replaced.",
            ("source_model", "target_model"),
        )
        self._reasons = Counter("llm_routing_reason_codes", "Why.", ("reason_code", "model"))
        self._latency = Histogram(
            "llm_model_routing_latency_seconds", "First body byte to the reply.", SECONDS
        )
        signal = ("signal_type", "signal_name")
        self._extracted = Counter("llm_signal_extraction", "Signals that were read.", signal)
        self._matched = Counter("llm_signal_match", "Signals that matched.", signal)
        self._signal_latency = Histogram(
            "llm_signal_extraction_latency_seconds", "Classifier time.", SECONDS, ("signal_type",)
        )
        self._evaluated = Counter("llm_decision_evaluation", "Decisions made from rules.")
        self._evaluation = Histogram(
            "llm_decision_evaluation_latency_seconds", "Evidence to the decision.", SECONDS
        )
        self._decision = Counter("llm_decision_match", "Decisions that won.", ("decision_name",))
        self._confidence = Histogram(
            "llm_decision_confidence", "Confidence of the winner.", SHARES, ("decision_name",)
        )
        self._plugins = Counter(
            "llm_plugin_execution",
            "Plugins that a decision ran.",
            ("plugin_type", "decision_name", "status"),
        )
        self._labels = Histogram(
            "llm_classification_confidence",
            "Confidence of the top label.",
            SHARES,
            ("category", "classification_method"),
        )
        self._reasoning = Counter(
            "llm_reasoning_decisions",
            "Reasoning on or off.",
            ("category", "model", "enabled", "effort"),
        )
        self._effort = Counter("llm_reasoning_effort_usage", "Efforts.", ("family", "effort"))
        self._template = Counter(
            "llm_reasoning_template_usage", "Parameters set.", ("family", "param")
        )
        self._basis = Counter(
            "srd_decisions", "Decisions by basis.", ("basis", "decision", "model")
        )
        self._outcomes = Counter("srd_exchanges", "Exchanges by outcome.", ("outcome",))
        self._refused = Counter("srd_streams_refused", "Answered by srd.", ("reason",))
        self._fallbacks = Counter("srd_fallbacks", "Default model instead.", ("reason",))
        basis = ("basis",)
        self._at = Histogram("srd_decision_bytes", "Body bytes read at the decision.", BYTES, basis)
        self._held = Histogram("srd_held_bytes", "Bytes held at the decision.", BYTES, basis)
        self._decided_in = Histogram(
            "srd_decision_seconds", "First body byte to the decision.", SECONDS, basis
        )
        self._waited = Histogram(
            "srd_added_seconds",
            "Last byte that the decision read to the header reply: what srd adds before the "
            "upstream's first byte.",
            SECONDS,
            basis,
        )

        self._add_usage()
        self._add_notes()

    def _add_usage(self) -> None:
        model = ("model",)
        self._completion = Histogram(
            "llm_model_completion_latency_seconds", "Request to complete response.", SECONDS, model
        )
        self._ttft = Histogram("llm_model_ttft_seconds", "Time to first token.", SECONDS, model)
        self._tpot = Histogram("llm_model_tpot_seconds", "Time per output token.", SECONDS, model)
        self._tokens = Counter("llm_model_tokens", "Tokens, both ways.", model)
        self._prompt = Counter("llm_model_prompt_tokens", "Tokens of prompts.", model)
        self._answer = Counter("llm_model_completion_tokens", "Tokens of completions.", model)
        self._prompt_size = Histogram(
            "llm_prompt_tokens_per_request", "Tokens of a prompt.", TOKENS, model
        )
        self._answer_size = Histogram(
            "llm_completion_tokens_per_request", "Tokens of a completion.", TOKENS, model
        )
        self._cost = Counter("llm_model_cost", "Cost by pricing.", ("model", "currency"))
        self._usage = Counter(
            "srd_usage_observed",
            "Answers below status 400 by how much of their usage was seen.",
            ("state",),
        )
        self._origins = Counter(
            "srd_prompt_tokens",
            "Tokens of prompts: fresh, read from a provider's cache, written to it.",
            ("model", "origin"),
        )

    def _add_notes(self) -> None:
        self._runs = Histogram(
            "srd_classifier_seconds", "One ask, its queue included.", SECONDS, ("stage",)
        )
        self._notes = Counter("srd_notes", "What was noted of exchanges.", ("kind",))
        self._late_names = Counter(
            "srd_late_model_names", "Explicit names behind late_model_bytes: rewritten."
        )
        self._unread = Counter("srd_unread", "Bodies on our paths that passed unread.", ("reason",))
        self._refusals = Counter("srd_refused", "Requests refused by srd.", ("reason",))
        self._would_refuse = Counter(
            "srd_would_refuse",
            "Requests that passed and would have been refused: blocking.mode is observe.",
            ("reason",),
        )
        self._faults = Counter("srd_faults", "Faults of srd by exception.", ("error",))

    def _families(self) -> list[Family]:
        counted = [value for value in vars(self).values() if isinstance(value, Counter | Histogram)]
        return [*counted, *self._read()]

    def render(self, accept: str) -> tuple[bytes, str]:
        """A scrape."""
        return render(self._families(), accept)

    # -- counting --------------------------------------------------------------------------------

    def decided(self, record: ExchangeRecord, trace_id: str = "") -> None:
        """`record.decision` was set. A few microseconds."""
        decision = record.decision
        if decision is None:
            return
        model, name = self._named(decision.model), decision.name or ""
        basis = str(decision.basis)
        self._requests.add(model)
        self._basis.add(basis, name, model)
        self._inflight[(model,)] = self._inflight.get((model,), 0) + 1
        self._at.observe(decision.bytes_read, basis)
        self._held.observe(decision.bytes_held, basis)
        if record.first_byte_at:
            spent = record.decided_at - record.first_byte_at
            self._decided_in.observe(spent, basis, trace_id=trace_id)
        if decision.basis is Basis.EXPLICIT:
            self._reasons.add("model_specified", model)
            return
        self._reasons.add("auto_routing", model)
        self._modified.add(decision.requested_model or "", model)
        if decision.basis is Basis.FALLBACK:
            self._fallbacks.add(fallback_label(decision.fallback_reason))
            self._errors.add(model, "classification_failed")
            return
        if record.evidence_at:
            self._evaluation.observe(record.decided_at - record.evidence_at)
        self._count_rules(decision, name)

    def _named(self, model: str) -> str:
        """The model as a label: with `unknown_models: pass` a client may name anything."""
        service = self._daemon.service
        known = not model or service is None or service.policy.router.is_known(model)
        return model if known else "other"

    def _count_rules(self, decision: Decision, name: str) -> None:
        self._evaluated.add()
        for fact in decision.signals:
            if fact.value != "unknown":
                self._extracted.add(fact.type, fact.name)
                if fact.value == "true":
                    self._matched.add(fact.type, fact.name)
        if decision.label is not None:
            self._labels.observe(decision.label_confidence, decision.label, decision.stage)
        if decision.name is not None:
            self._decision.add(name)
            self._confidence.observe(decision.confidence, name)
            for plugin in TABLE:
                if plugin.metric and plugin.name in decision.plugins:
                    self._plugins.add(plugin.metric, name, "success")
        thinking = decision.reasoning
        if thinking is not None:
            enabled = "true" if thinking.enabled else "false"
            category = decision.category or ""
            model = self._named(decision.model)
            self._reasoning.add(category, model, enabled, thinking.effort)
            if thinking.family:
                self._template.add(thinking.family, thinking.parameter)
                if thinking.enabled:
                    self._effort.add(thinking.family, thinking.effort)

    def noted(self, note: Noted) -> None:
        """Something was noted beside the decision."""
        self._notes.add(note.kind.value)
        if note.kind is NoteKind.LATE_MODEL_NAME:
            self._late_names.add()
        elif note.kind is NoteKind.UNREAD:
            self._unread.add(note.detail)
        elif note.kind is NoteKind.FAULT:
            self._faults.add(note.detail)
        elif note.kind is NoteKind.REFUSED:
            self._refusals.add(note.reason)
        elif note.kind is NoteKind.WOULD_REFUSE:
            self._would_refuse.add(note.reason)

    def ended(self, record: ExchangeRecord, trace_id: str = "") -> None:
        """The exchange is over."""
        outcome = record.outcome if record.outcome in OUTCOMES else "internal"
        self._outcomes.add(outcome)
        for run in record.runs:
            if run.ended_at:
                stage = run.stage or "failed"
                self._runs.observe(run.ended_at - run.began_at, stage)
                for head in run.heads:
                    self._signal_latency.observe(run.ended_at - run.began_at, head)
        if record.refused_status:
            self._refused.add(str(record.refused_status))
        decision = record.decision
        if decision is None:
            return
        model = self._named(decision.model)
        key = (model,)
        self._inflight[key] = max(0, self._inflight.get(key, 0) - 1)
        if record.replied_at and record.first_byte_at:
            self._latency.observe(record.replied_at - record.first_byte_at, trace_id=trace_id)
            since = record.evidence_at or record.first_byte_at
            waited = max(0.0, record.replied_at - since)
            self._waited.observe(waited, str(decision.basis), trace_id=trace_id)
        self._count_usage(record, model)

    def _count_usage(self, record: ExchangeRecord, model: str) -> None:
        observed = record.observed
        if observed is None:
            return
        if observed.status >= 400:
            self._errors.add(model, "upstream_5xx" if observed.status >= 500 else "upstream_4xx")
        began = record.headers_at or record.opened_at
        first = record.response_first_byte_at if observed.streamed else record.response_headers_at
        if first:
            self._ttft.observe(first - began, model)
        if observed.status < 400:
            self._usage.add(observed.usage)
        if observed.usage != "none":
            self._completion.observe(record.ended_at - began, model)
            self._count_tokens(observed, model, record.ended_at - began)

    def _count_tokens(self, observed: Observed, model: str, spent: float) -> None:
        """What was not observed is left out: it is not 0."""
        prompt, answer = observed.prompt_tokens, observed.completion_tokens
        if prompt is not None:
            self._tokens.add(model, by=prompt)
            self._prompt.add(model, by=prompt)
            self._prompt_size.observe(prompt, model)
        if answer is not None:
            self._tokens.add(model, by=answer)
            self._answer.add(model, by=answer)
            self._answer_size.observe(answer, model)
        if answer:
            self._tpot.observe(spent / answer, model)
        origins = {
            "fresh": observed.fresh_tokens,
            "cached": observed.cached_tokens,
            "written": observed.cache_write_tokens,
        }
        for origin, count in origins.items():
            if count is not None:
                self._origins.add(model, origin, by=count)
        cost = self._cost_of(observed, model)
        if cost is not None:
            self._cost.add(model, cost[1], by=cost[0])

    def _cost_of(self, observed: Observed, model: str) -> tuple[float, str] | None:
        """None without a price or with half of the usage. A cache's price that the document does
        not give is the prompt's."""
        fresh, answer = observed.fresh_tokens, observed.completion_tokens
        if fresh is None or answer is None:
            return None
        document = self._document()
        provider = None if document is None else document.provider_of(model)
        pricing = None if provider is None else provider.pricing
        if pricing is None:
            return None
        read, written = observed.cached_tokens or 0, observed.cache_write_tokens or 0
        cost = (
            fresh * pricing.prompt_per_1m
            + read * (pricing.cached_input_per_1m or pricing.prompt_per_1m)
            + written * (pricing.cache_write_per_1m or pricing.prompt_per_1m)
            + answer * pricing.completion_per_1m
        )
        return cost / 1e6, pricing.currency or "USD"

    def _document(self) -> Document | None:
        service = self._daemon.service
        return None if service is None else service.policy.document

    # -- what others keep, read when scraped -----------------------------------------------------

    def _read(self) -> list[Family]:
        daemon, service = self._daemon, self._daemon.service
        families: list[Family] = [
            Gauge("srd_build_info", "Version.", lambda: {(__version__,): 1}, ("version",)),
            Gauge(
                "srd_ready", "1 when requests are routed.", lambda: _one(daemon.state == "ready")
            ),
            ReadCounter(
                "srd_config_reloads",
                "Reloads by result.",
                lambda: {(k,): v for k, v in daemon.reloads.items()},
                ("result",),
            ),
            Gauge("llm_model_inflight_requests", "Now.", lambda: self._inflight, ("model",)),
            Gauge("srd_early_share", "Decisions before the body's end, of all.", self._early),
            ReadCounter("process_cpu_seconds", "CPU time.", _cpu),
            Gauge("process_resident_memory_bytes", "Resident memory.", _memory),
        ]
        if service is None:
            return families
        return [*families, *self._read_service()]

    def _read_service(self) -> list[Family]:
        service = self._daemon.service
        assert service is not None
        families: list[Family] = [
            Gauge("srd_streams_open", "ExtProc streams now.", lambda: _one(service.open_streams)),
            Gauge("srd_bytes_held", "Body bytes held now.", lambda: _one(service.held_bytes)),
            ReadCounter(
                "srd_pressure", "Decisions forced by memory.", lambda: _one(service.pressure_events)
            ),
            ReadCounter(
                "srd_streams_turned_away", "503: too many.", lambda: _one(service.refused_streams)
            ),
            ReadCounter(
                "srd_rendering_failures",
                "Exchanges that could not be counted, logged or traced.",
                lambda: _one(getattr(service.observer, "failures", 0)),
            ),
        ]
        memo = service.policy.memo
        if memo is not None:
            kept = memo.statistics()
            families += [
                Gauge("srd_memo_entries", "Remembered decisions.", lambda: _one(kept.entries)),
                ReadCounter("srd_memo_hits", "Recalled.", lambda: _one(kept.hits)),
                ReadCounter("srd_memo_misses", "Not known.", lambda: _one(kept.misses)),
            ]
        statistics = getattr(service.classifier, "statistics", None)
        if statistics is not None:
            families += _classifier(statistics())
        return families

    def _early(self) -> Mapping[tuple[str, ...], float]:
        total = early = 0.0
        for (basis, _, _), count in self._basis.values.items():
            if basis != "explicit":
                total += count
                early += count if basis in ("early", "budget", "memo") else 0
        return _one(early / total if total else 0.0)


def _classifier(now: object) -> list[Family]:
    def value(name: str) -> float:
        return float(getattr(now, name, 0))

    gauges = [("queued", "Asks waiting."), ("running", "Asks being answered.")]
    gauges += [("segment_entries", "Inspected texts that are remembered.")]
    counters = ["runs", "tokens", "rejected", "cancelled", "expired", "failed", "truncated"]
    counters += ["first_stage", "cache_hits", "cache_misses"]
    counters += ["windows", "inspection_tokens", "segments_known"]
    families: list[Family] = [
        Gauge(f"srd_classifier_{n}", text, lambda n=n: _one(value(n)))  # type: ignore[misc]
        for n, text in gauges
    ]
    families += [
        ReadCounter(f"srd_classifier_{n}", f"Classifier: {n}.", lambda n=n: _one(value(n)))  # type: ignore[misc]
        for n in counters
    ]
    sizes = getattr(now, "batch_sizes", {}) or {}
    families.append(
        ReadCounter(
            "srd_classifier_batches",
            "Runs by asks in them.",
            lambda: {(str(size),): count for size, count in sizes.items()},
            ("size",),
        )
    )
    return families


def fallback_label(reason: str) -> str:
    """A reason from a fixed set, for labels."""
    return reason if reason in FALLBACK_REASONS else "classifier_unavailable"


def _one(value: float) -> Mapping[tuple[str, ...], float]:
    return {(): float(value)}


def _cpu() -> Mapping[tuple[str, ...], float]:
    return _one(time.process_time())


def _memory() -> Mapping[tuple[str, ...], float]:
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - one read, no path object
            return _one(int(file.read().split()[1]) * resource.getpagesize())
    except OSError:
        return {}
