"""What happened in one exchange, with times: the driver fills it in, the renderings read it.

Why this file exists: the pure core knows no clock, and spans, metrics and log lines must agree on
one set of measurements. Times are seconds of `time.perf_counter`; 0.0 means "did not happen".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from srd.decide.decision import Decision
from srd.exchange.commands import Noted, Observed
from srd.exchange.facts import RequestFacts


@dataclass(slots=True)
class ClassifierRun:
    """One ask and what became of it."""

    window: int
    heads: tuple[str, ...]
    began_at: float
    ended_at: float = 0.0
    stage: str = ""  # linear, encoder, cache; "" when it failed
    tokens: int = 0
    failure: str = ""


@dataclass(slots=True, kw_only=True)
class ExchangeRecord:
    """One exchange as it went. Mutable while it runs, owned by its driver."""

    opened_at: float
    opened_unix_ns: int
    metadata: Mapping[str, str]
    facts: RequestFacts | None = None
    request_mode: str = ""
    response_mode: str = ""
    headers_at: float = 0.0
    first_byte_at: float = 0.0
    body_ended_at: float = 0.0
    evidence_at: float = 0.0  # the last body message before the decision
    decided_at: float = 0.0
    replied_at: float = 0.0  # the header reply, or the answer to a buffered body
    response_headers_at: float = 0.0
    response_first_byte_at: float = 0.0
    ended_at: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    decision: Decision | None = None
    runs: list[ClassifierRun] = field(default_factory=list)
    refused_status: int = 0
    observed: Observed | None = None
    outcome: str = "open"  # ok, refused, aborted, protocol_error, undecodable, internal
    note: str = ""
    notes: dict[str, str] = field(default_factory=dict)  # Noted: kind -> the first detail
    traced: bool = False  # the tracer has decided about this exchange
    span: object | None = None  # the tracer's own state, None when it is not recorded

    @property
    def request_id(self) -> str:
        """The gateway's x-request-id, or "" when there is none."""
        return "" if self.facts is None else self.facts.headers.get("x-request-id", "")


class Observer(Protocol):
    """Hears of every exchange. Must be cheap and never raise: the driver does not guard the hot
    path against it, only counts what it raises."""

    def opened(self, record: ExchangeRecord) -> None:
        """The stream began; nothing is known yet but gRPC metadata."""

    def headers(self, record: ExchangeRecord) -> tuple[tuple[str, bytes], ...]:
        """Request headers arrived; returns request headers to add (trace context when absent)."""
        ...

    def decided(self, record: ExchangeRecord) -> None:
        """`record.decision` was just set."""

    def noted(self, record: ExchangeRecord, note: Noted) -> None:
        """Something beside the decision is worth telling; `record.notes` has it already."""

    def ended(self, record: ExchangeRecord) -> None:
        """The exchange is over; `record.outcome` says how."""


class NullObserver:
    """Hears and forgets."""

    def opened(self, record: ExchangeRecord) -> None: ...

    def headers(self, record: ExchangeRecord) -> tuple[tuple[str, bytes], ...]:
        return ()

    def decided(self, record: ExchangeRecord) -> None: ...

    def noted(self, record: ExchangeRecord, note: Noted) -> None: ...

    def ended(self, record: ExchangeRecord) -> None: ...
