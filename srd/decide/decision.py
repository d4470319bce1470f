"""The Decision: one frozen value, the source of span, log line, headers and `srd explain`.

Why this file exists: four renderings that say the same need one thing to render. It must not know
how a decision was reached, nor how it is written down.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from srd.evidence.account import Account


class Basis(enum.StrEnum):
    """On what evidence it was decided; the value of `x-vsr-decision-basis`."""

    COMPLETE = "complete"
    EARLY = "early"
    BUDGET = "budget"
    TIMEOUT = "timeout"
    PRESSURE = "pressure"
    MEMO = "memo"
    EXPLICIT = "explicit"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class SignalFact:
    """One signal as it stood when the decision fell. `value` is "true", "false" or "unknown".

    `blocking`: it was read for a blocking decision, and so on another text than where decisions
    only route; a signal that both use is told twice.
    """

    type: str
    name: str
    value: str
    confidence: float = 1.0
    score: float | None = None
    detail: str = ""
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Whether the chosen modelRef thinks, how hard, and by which family's parameter."""

    enabled: bool
    effort: str = ""
    family: str = ""
    parameter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Where one request goes and why. `model` is the name that the backend receives.

    `name` is the decision's name in the document, None when none matched or the client named a
    model. `plugins` are those that act on it, `not_carried_out` those that cannot, as "name: why".
    `bytes_read` counts body bytes seen when the decision fell; `body_bytes` is the whole
    body where it was known by then (content-length or end of stream).
    """

    model: str
    requested_model: str | None
    basis: Basis
    name: str | None = None
    base_model: str = ""
    upstream_model: str = ""  # provider_model_id where the document names one, else == model
    category: str | None = None  # the first matched domain leaf's name
    label: str | None = None  # the classifier's top label, whatever the thresholds
    label_confidence: float = 0.0
    confidence: float = 0.0
    margin: float | None = None  # the winner's confidence minus the next matching decision's
    runner_up: str | None = None
    algorithm: str = ""
    reasoning: Reasoning | None = None
    matched: tuple[str, ...] = ()  # "domain:math"
    signals: tuple[SignalFact, ...] = ()
    fallback_reason: str = ""
    stage: str = ""  # "linear", "encoder", "cache"; "" when no classifier answered
    tokens_read: int = 0
    bytes_read: int = 0
    body_bytes: int | None = None
    bytes_held: int = 0
    system_prompt_injected: bool = False
    plugins: tuple[str, ...] = ()
    not_carried_out: tuple[str, ...] = ()
    account: Account | None = None  # the texts that it was made on

    def __repr__(self) -> str:
        total = "?" if self.body_bytes is None else str(self.body_bytes)
        why = self.name or self.fallback_reason or "-"
        return (
            f"<Decision {self.model} by={why} category={self.category or '-'} "
            f"p={self.confidence:.2f} basis={self.basis} at={self.bytes_read}/{total}B>"
        )
