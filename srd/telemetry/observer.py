"""Hears of every exchange and renders it: span, metrics, log lines.

Why this file exists: the driver knows one observer; that there are three renderings of one record
is settled here. Nothing here raises into the driver: what fails is counted and logged now and then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from srd.decide.decision import Decision
from srd.evidence.account import NOTHING, pin
from srd.exchange.commands import Noted, NoteKind, Observed
from srd.telemetry import logs
from srd.telemetry.metrics import Metrics
from srd.telemetry.record import ExchangeRecord
from srd.telemetry.tracing import Tracing, trace_id

log = logging.getLogger("srd.exchange")

#: So many different late model names are logged, once each.
_LATE_NAMES = 256


class Renderings:
    """The Observer of a daemon. `tracing` None: no spans."""

    def __init__(self, metrics: Metrics, tracing: Tracing | None) -> None:
        self.metrics = metrics
        self.tracing = tracing
        self.failures = 0
        self._late_names: set[str] = set()

    def opened(self, record: ExchangeRecord) -> None:
        """The ids of this exchange go on every line of its task from now on."""
        logs.current.set(record)

    def headers(self, record: ExchangeRecord) -> tuple[tuple[str, bytes], ...]:
        """Headers are about to be answered: the last moment to add a trace context."""
        if self.tracing is None:
            return ()
        self._begin(record)
        try:
            return self.tracing.request_headers(record)
        except Exception:
            self._failed()
            return ()

    def decided(self, record: ExchangeRecord) -> None:
        """Count and log the Decision."""
        self._guarded(lambda: self._decided(record))

    def noted(self, record: ExchangeRecord, note: Noted) -> None:
        """Count what is worth telling beside the decision. Log what would have been refused, and
        the first of each late name. A refusal stands in the line of the exchange's end."""
        self._guarded(lambda: self._noted(note))

    def ended(self, record: ExchangeRecord) -> None:
        """Count, log and trace what became of it."""
        self._guarded(lambda: self._ended(record))

    def _begin(self, record: ExchangeRecord) -> None:
        if self.tracing is not None and not record.traced:
            record.traced = True
            self._guarded(lambda: self.tracing.begin(record) if self.tracing else None)

    def _decided(self, record: ExchangeRecord) -> None:
        self._begin(record)
        self.metrics.decided(record, trace_id(record) if record.span else "")
        if record.decision is not None and log.isEnabledFor(logging.INFO):
            log.info("routing_decision", extra={"fields": decision_fields(record.decision, record)})

    def _ended(self, record: ExchangeRecord) -> None:
        self._begin(record)
        self.metrics.ended(record, trace_id(record) if record.span else "")
        if self.tracing is not None:
            self.tracing.end(record)
        observed, decision = record.observed, record.decision
        if observed is not None and decision is not None and observed.usage != "none":
            log.info("llm_usage", extra={"fields": usage_fields(decision, observed, record)})
        if record.refused_status or record.outcome not in ("ok", "aborted"):
            fields = {
                "event": "exchange_ended",
                "outcome": record.outcome,
                "status": record.refused_status,
                "note": record.note,
                **record.notes,
            }
            log.info("exchange_ended", extra={"fields": fields})

    def _noted(self, note: Noted) -> None:
        self.metrics.noted(note)
        if note.kind is NoteKind.WOULD_REFUSE:
            fields = {"event": "would_refuse", "reason": note.reason, "detail": note.detail}
            log.info("would_refuse", extra={"fields": fields})
        if note.kind is not NoteKind.LATE_MODEL_NAME or note.detail in self._late_names:
            return
        if len(self._late_names) < _LATE_NAMES:
            self._late_names.add(note.detail)
            fields = {"event": "late_model_name", "requested_model": note.detail}
            log.warning("a model name came too late to count", extra={"fields": fields})

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            self._failed()

    def _failed(self) -> None:
        self.failures += 1
        log.exception("a rendering failed")


def decision_fields(decision: Decision, record: ExchangeRecord) -> dict[str, object]:
    """Upstream's `routing_decision` event and what only srd knows; one of the four renderings."""
    thinking, account = decision.reasoning, decision.account or NOTHING
    return {
        "event": "routing_decision",
        "reason_code": "model_specified" if decision.basis == "explicit" else "auto_routing",
        "original_model": decision.requested_model or "",
        "selected_model": decision.model,
        "decision": decision.name or "",
        "category": decision.category or "",
        "confidence": round(decision.confidence, 4),
        "basis": str(decision.basis),
        "reasoning_enabled": bool(thinking and thinking.enabled),
        "reasoning_effort": thinking.effort if thinking else "",
        "bytes_at_decision": decision.bytes_read,
        "bytes_held": decision.bytes_held,
        "stage": decision.stage,
        "turn": account.turn,
        "turns": len(account.turns),
        "held": account.held,
        "pinned": pin(account),
        "characters_unread": account.unread,
        "fallback_reason": decision.fallback_reason,
        "routing_latency_ms": _milliseconds(record.first_byte_at, record.decided_at),
    }


def usage_fields(
    decision: Decision, observed: Observed, record: ExchangeRecord
) -> dict[str, object]:
    """Upstream's `llm_usage` event. What was not observed is None; `usage` says whether that, or
    a later figure, is missing."""
    prompt, answer = observed.prompt_tokens, observed.completion_tokens
    return {
        "event": "llm_usage",
        "model": decision.model,
        "usage": observed.usage,
        "prompt_tokens": prompt,
        "fresh_prompt_tokens": observed.fresh_tokens,
        "cached_prompt_tokens": observed.cached_tokens,
        "cache_write_tokens": observed.cache_write_tokens,
        "completion_tokens": answer,
        "total_tokens": None if prompt is None or answer is None else prompt + answer,
        "completion_latency_ms": _milliseconds(record.headers_at, record.ended_at),
    }


def _milliseconds(began: float, ended: float) -> float:
    return round((ended - began) * 1000, 3) if began and ended else 0.0
