"""One configuration generation, compiled: everything an exchange consults and never changes.

Why this file exists: a reload swaps one object, and exchanges in flight keep the one they began
with. It must not know files, when a reload is due, or how the classifier scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from srd.classify.api import WINDOWS, Classifier
from srd.config import Document
from srd.config.decisions import DecisionRule, Kind, kind_of
from srd.config.globals import EarlyDecision
from srd.config.plugins import HeaderMutationConfig
from srd.decide.decision import Decision
from srd.decide.memo import Memo
from srd.decide.router import Router
from srd.evidence.human import Harness
from srd.plugins.entry import Phase
from srd.plugins.table import TABLE
from srd.signals.authz import GROUPS_HEADER, USER_HEADER, RoleSignal
from srd.signals.base import Origin, Reach, Signal
from srd.signals.catalog import SignalSet, compile_signals

#: Characters of a text that are kept for rules that do not block.
MOST_TEXT = 262_144
_BESIDE = frozenset({"metadata", "context", "conversation"})


@dataclass(frozen=True, slots=True)
class Policy:
    """A document with its compiled signals and rules. `memo` None: nothing is remembered."""

    document: Document
    signals: SignalSet
    router: Router
    memo: Memo | None = None
    generation: int = 0
    by_key: Mapping[str, Signal] = field(init=False, repr=False)
    windows: tuple[int, ...] = field(init=False)
    answering: frozenset[str] = field(
        init=False, repr=False
    )  # decisions with a plugin that answers
    blocks: bool = field(init=False)  # some decision's match refuses a request
    harness: Harness = field(init=False, repr=False)
    identity_headers: frozenset[str] = field(init=False)  # those that authz signals read
    header_entries: int = field(init=False)  # the most that any decision does to headers
    user_headers: frozenset[str] = field(init=False)  # of these, those that name one subject
    distrusted: frozenset[str] = field(init=False)  # identity headers that nobody may believe

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "by_key", dict(zip(self.signals.keys, self.signals.signals, strict=True)))
        put(self, "windows", _windows(self.early))
        rules = self.document.routing.decisions
        answers = [entry for entry in TABLE if entry.phase is Phase.ANSWER]
        names = frozenset(r.name for r in rules if any(entry.asks(r) for entry in answers))
        put(self, "answering", names)
        put(self, "blocks", any(kind_of(rule) is Kind.BLOCK for rule in rules))
        put(self, "harness", Harness.of(self.document.global_.router.evidence))
        put(self, "header_entries", 1 + max(map(_mutations, rules), default=0))
        roles = [s for s in self.signals.signals if isinstance(s, RoleSignal)]
        users = frozenset(s.user_header for s in roles)
        put(self, "identity_headers", users | {s.groups_header for s in roles})
        put(self, "user_headers", users)
        put(self, "distrusted", _distrusted(self.document, self.identity_headers))

    @property
    def early(self) -> EarlyDecision:
        """The operator's bounds on evidence."""
        return self.document.global_.router.streamed_body.early_decision

    @property
    def tail_insertion(self) -> bool:
        """True when mode T may be used: asked for, and no decision answers the client itself
        (after the header reply nothing may be refused)."""
        return self.early.tail_insertion and not self.answering

    @property
    def enforces(self) -> bool:
        """False where a request that should be refused unanswered passes, and is counted."""
        return self.document.global_.router.blocking.mode == "enforce"

    @property
    def must_see(self) -> bool:
        """True when a body that a blocking rule cannot see is to be refused (or counted)."""
        return self.blocks and self.document.global_.router.blocking.on_error == "refuse"

    @property
    def refuses(self) -> bool:
        """True when it is refused."""
        return self.must_see and self.enforces

    @property
    def inspects_named(self) -> bool:
        """True when a request that names its model waits for the blocking rules too."""
        return self.blocks and self.document.global_.router.blocking_applies_to == "all"

    @property
    def pins(self) -> bool:
        """True when a conversation stays on the model whose state it carries."""
        router = self.document.global_.router
        return router.conversation == "hold" and router.conversation_hold.pins == "hold"

    @property
    def unbinds(self) -> bool:
        """True when what only the model that made it can read leaves no more than it must."""
        return self.document.global_.router.conversation_hold.pins == "drop"

    @property
    def leave(self) -> float:
        """The confidence with which a later turn's subject must differ."""
        return self.document.global_.router.conversation_hold.leave

    @property
    def reads_beside(self) -> bool:
        """True when a rule over more than texts answers before the body's end."""
        return any(s.type in _BESIDE and s.reach is Reach.WINDOW for s in self.signals.signals)

    @property
    def origins(self) -> frozenset[Origin]:
        """Whose texts a rule reads beside the deciding one."""
        return frozenset().union(*(getattr(s, "origins", ()) for s in self.signals.signals))

    @property
    def most_text(self) -> int:
        """Characters that are kept of a text: all of them where a rule that blocks reads it."""
        limits = self.document.global_.router.limits
        return max(MOST_TEXT, limits.max_request_bytes_held) if self.blocks else MOST_TEXT

    def answers(self, decision: Decision) -> bool:
        """True when this decision answers the client itself instead of asking a model."""
        return decision.name in self.answering

    def heads_of(self, keys: frozenset[str]) -> frozenset[str]:
        """Classifier heads that the signals behind these leaf keys need."""
        return frozenset(
            head for key in keys if (signal := self.by_key.get(key)) for head in signal.heads
        )

    def __repr__(self) -> str:
        decisions = len(self.document.routing.decisions)
        return f"<Policy #{self.generation} decisions={decisions} signals={len(self.by_key)}>"


def _distrusted(document: Document, read: frozenset[str]) -> frozenset[str]:
    """With `identity.trusted: false`: the headers that are named there, upstream's own names, and
    whatever else a rule would read."""
    authz = document.global_.services.authz
    identity = None if authz is None else authz.identity
    if identity is None or identity.trusted is not False:
        return frozenset()
    named = {identity.user_id_header.lower(), identity.user_groups_header.lower()}
    return read | named | {USER_HEADER, GROUPS_HEADER}


def _mutations(rule: DecisionRule) -> int:
    found = rule.plugin(HeaderMutationConfig)
    return 0 if found is None else len(found.add) + len(found.update) + len(found.delete)


def _windows(early: EarlyDecision) -> tuple[int, ...]:
    """The stages between min_tokens and max_tokens; at least one."""
    stages = tuple(w for w in WINDOWS if early.min_tokens <= w <= early.max_tokens)
    return stages or (min(max(early.max_tokens, WINDOWS[0]), WINDOWS[-1]),)


def build_policy(
    document: Document,
    classifier: Classifier | None,
    *,
    generation: int = 0,
    memo: Memo | None = None,
) -> Policy:
    """Compile a document. `memo` is kept across reloads: its keys hold the generation.

    :raises RuleError: if a rule's pattern cannot be compiled.
    :raises ClassifierUnavailable: if a rule's examples cannot be embedded.
    """
    signals = compile_signals(document, classifier=classifier)
    early = document.global_.router.streamed_body.early_decision
    return Policy(
        document=document,
        signals=signals,
        router=Router(document, signals),
        memo=memo if memo is not None else Memo.configured(early.memo),
        generation=generation,
    )


def needed_heads(signals: SignalSet) -> frozenset[str]:
    """Classifier heads that a configuration can ask for; none: no classifier is needed."""
    return signals.heads()
