"""From a verdict to the one Decision: what serving, classify and explain share.

Why this file exists: there is one way from readings to a Decision, whoever asks. It must not know
where readings come from, how a body is read or edited, nor the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from srd.body.rewrite import Rewrite
from srd.config.rules import shown_key
from srd.decide.decision import Basis, Decision, SignalFact
from srd.decide.engine import Engine, Final
from srd.decide.models import ModelChoice, choose, named
from srd.signals.domain import top_category

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from srd.classify.api import Scores
    from srd.config import Document
    from srd.signals.base import Reading

_DOMAIN = "domain:"


class SignalList(Protocol):
    """What the router wants to know of the compiled signals: which leaves they answer."""

    @property
    def keys(self) -> Collection[str]:
        """The leaf keys that are read, those of blocking uses with their mark."""
        ...


class Router:
    """The routing half of one configuration. Immutable; shared by all exchanges.

    Without `signals` every leaf counts as answerable; with them, leaves that no signal answers
    never match and never block.
    """

    def __init__(self, document: Document, signals: SignalList | None = None) -> None:
        self.document = document
        answered = None if signals is None else frozenset(signals.keys)
        self.engine = Engine(document, answered=answered)
        self._auto = document.auto_names()
        self._known = document.known_models()

    def __repr__(self) -> str:
        return f"<Router {self.engine!r} default={self.document.default_model or '-'}>"

    @property
    def names(self) -> frozenset[str]:
        """All names that a client may use: routed ones, models and adapters."""
        return frozenset(self._auto) | frozenset(self._known)

    def is_auto(self, name: str) -> bool:
        """True for the names that are routed; compared exactly, as upstream does."""
        return name in self._auto

    def is_known(self, name: str) -> bool:
        """True for the model and adapter names that a client may ask for."""
        return name in self._known

    def conclude(
        self,
        verdict: Final,
        *,
        basis: Basis,
        requested_model: str | None = None,
        readings: Mapping[str, Reading] | None = None,
        scores: Scores | None = None,
        seed: bytes = b"",
    ) -> Decision:
        """The Decision of a verdict; its `model` is "" when the document offers none.

        `seed` spreads weighted choices and must be a function of the evidence alone. Bytes read
        and held are the caller's to add.
        """
        choice = choose(verdict.rule, self.document, seed=seed)
        top = top_category(None if scores is None else scores.domain)
        return Decision(
            model=choice.model,
            requested_model=requested_model,
            basis=basis,
            name=None if verdict.rule is None else verdict.rule.name,
            base_model=choice.base_model,
            upstream_model=choice.upstream_model,
            category=_category(verdict.matched),
            label=None if top is None else top.label,
            label_confidence=0.0 if top is None else top.confidence,
            confidence=verdict.confidence,
            margin=verdict.margin,
            runner_up=verdict.runner_up,
            algorithm=choice.algorithm,
            reasoning=choice.reasoning,
            matched=verdict.matched,
            signals=_facts(readings or {}),
            stage="" if scores is None else scores.stage,
            tokens_read=0 if scores is None else scores.tokens,
        )

    def explicit(self, model: str) -> Decision:
        """The client named a model, known or passed on: it is taken at its word."""
        return _bare(named(model, self.document), Basis.EXPLICIT, model)

    def fallback(self, reason: str, *, requested_model: str | None = None) -> Decision:
        """The default model, because `reason` made a decision impossible."""
        choice = named(self.document.default_model, self.document)
        return _bare(choice, Basis.FALLBACK, requested_model, reason)

    def tail_rewrite(self) -> Rewrite:
        """The edits of a body whose decision only its end brings: none but the model's."""
        return Rewrite()


def _bare(
    choice: ModelChoice, basis: Basis, requested_model: str | None, reason: str = ""
) -> Decision:
    return Decision(
        model=choice.model,
        requested_model=requested_model,
        basis=basis,
        base_model=choice.base_model,
        upstream_model=choice.upstream_model,
        algorithm=choice.algorithm,
        fallback_reason=reason,
    )


def _category(matched: Sequence[str]) -> str | None:
    """The name part of the first matched domain leaf, as upstream."""
    for key in matched:
        if key.startswith(_DOMAIN):
            return key[len(_DOMAIN) :]
    return None


def _facts(readings: Mapping[str, Reading]) -> tuple[SignalFact, ...]:
    found = []
    for key, reading in readings.items():
        kind, _, name = shown_key(key).partition(":")
        found.append(
            SignalFact(
                type=kind,
                name=name,
                value=reading.value.value,
                confidence=reading.confidence,
                score=reading.score,
                detail=reading.detail,
            )
        )
    return tuple(found)
