"""A document in short: what `srd check` prints.

Why this file exists: an operator wants to see what srd understood, and above all which decisions
can fall before a body has ended and which rule prevents it. A pure value; it must not know files.
"""

from dataclasses import dataclass

from srd.config.base import Scope
from srd.config.decisions import Kind, kind_of
from srd.config.document import Document
from srd.config.plugins import SystemPromptConfig
from srd.config.rules import Leaf, leaves
from srd.config.scope import Early, can_be_early, is_dead, unknown_of
from srd.config.trees import one_line
from srd.signals.table import BY_NAME

__all__ = ["DecisionLine", "ModelLine", "SignalLine", "Summary", "summary"]

_WIDEST_CELL = 48


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One decision. `blockers` are the leaves (`type:name`) that need the whole body."""

    name: str
    kind: Kind
    priority: int
    tier: int
    when: str
    models: tuple[str, ...]
    plugins: tuple[str, ...]
    early: Early
    blockers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model card and its adapters."""

    name: str
    adapters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignalLine:
    """A declared rule. `used` means that a decision refers to it; others are never asked.

    `blocking`: a blocking decision does, and there its scope is full whatever it is elsewhere.
    """

    type: str
    name: str
    scope: Scope
    used: bool
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What srd understood of a document."""

    strategy: str
    default_model: str
    auto_names: tuple[str, ...]
    decisions: tuple[DecisionLine, ...]
    models: tuple[ModelLine, ...]
    signals: tuple[SignalLine, ...]
    early_enabled: bool
    notes: tuple[str, ...]

    @property
    def whole_body(self) -> tuple[str, ...]:
        """The signals in use that need the whole body, as `type:name`."""
        return tuple(
            f"{s.type}:{s.name}"
            for s in self.signals
            if s.used and (s.scope == "full" or s.blocking)
        )

    def text(self) -> str:
        """The summary for a terminal."""
        return "\n".join((*self._head(), *self._table(), *self._tail()))

    def _head(self) -> list[str]:
        adapters = sum(len(model.adapters) for model in self.models)
        used = sum(signal.used for signal in self.signals)
        counts = [
            f"{_count(len(self.decisions), 'decision')} by {self.strategy}",
            _count(len(self.models), "model") + (f" with {_count(adapters, 'adapter')}"),
            f"{_count(used, 'signal')} in use of {len(self.signals)}",
        ]
        return [
            ", ".join(counts) + ".",
            f"Routed names: {', '.join(self.auto_names) or 'none'}. "
            f"Without a match: {self.default_model or 'no model'}.",
        ]

    def _table(self) -> list[str]:
        if not self.decisions:
            return []
        rows = [("PRIORITY", "DECISION", "DOES", "WHEN", "MODEL", "PLUGINS", "EARLY")]
        for line in self.decisions:
            rank = str(line.priority) + (f" tier {line.tier}" if line.tier else "")
            models, plugins = " | ".join(line.models) or "-", ", ".join(line.plugins) or "-"
            early = str(line.early) if self.early_enabled else "off"
            when, models, plugins = map(_shortened, (line.when, models, plugins))
            rows.append((rank, line.name, line.kind.value, when, models, plugins, early))
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        return [
            "",
            *(
                "  " + "  ".join((*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[6]))
                for row in rows
            ),
        ]

    def _tail(self) -> list[str]:
        whole = ", ".join(self.whole_body) or "none"
        return ["", f"Signals that need the whole body: {whole}.", *self.notes]


def summary(document: Document) -> Summary:
    """The summary of a valid document."""
    early = document.global_.router.streamed_body.early_decision
    decisions = tuple(_decision(document, index) for index in _ranked(document))
    cards = document.routing.model_cards
    models = tuple(ModelLine(c.name, tuple(lora.name for lora in c.loras)) for c in cards)
    if not models:
        models = tuple(ModelLine(model.name, ()) for model in document.providers.models)
    return Summary(
        strategy=document.strategy,
        default_model=document.default_model,
        auto_names=tuple(sorted(document.auto_names())),
        decisions=decisions,
        models=models,
        signals=_signals(document),
        early_enabled=early.enabled,
        notes=(
            *_early_notes(document, decisions),
            *_blocking_notes(document, decisions),
            *_tail_notes(document),
        ),
    )


def _ranked(document: Document) -> list[int]:
    """Decisions as they are compared: tiers, then priority, then name (as upstream)."""
    rules = document.routing.decisions
    return sorted(range(len(rules)), key=lambda i: (rules[i].tier, -rules[i].priority, i))


def _decision(document: Document, index: int) -> DecisionLine:
    rule = document.routing.decisions[index]
    early, blockers = can_be_early(document, index)
    return DecisionLine(
        name=rule.name,
        kind=kind_of(rule),
        priority=rule.priority,
        tier=rule.tier,
        when=one_line(rule.rules),
        models=tuple(ref.selected for ref in rule.model_refs),
        plugins=tuple(plugin.type for plugin in rule.plugins),
        early=early,
        blockers=blockers,
    )


def _signals(document: Document) -> tuple[SignalLine, ...]:
    used: dict[tuple[str, str], bool] = {}  # and whether a blocking decision refers to it
    for decision in document.routing.decisions:
        blocks = kind_of(decision) is Kind.BLOCK
        for leaf in leaves(decision.rules):
            key = (leaf.type, BY_NAME[leaf.type].split(leaf.name)[0])
            used[key] = used.get(key, False) or blocks
    lines = []
    for entry, rule in document.routing.signals.rules():
        key = (entry.name, entry.key(rule))
        dead = is_dead(document, Leaf(type=entry.name, name=key[1]))
        scope = "window" if dead else rule.scope or entry.scope
        blocking = used.get(key, False) and not dead
        lines.append(SignalLine(*key, scope, key in used, blocking))
    return tuple(lines)


def _early_notes(document: Document, decisions: tuple[DecisionLine, ...]) -> list[str]:
    streamed = document.global_.router.streamed_body
    budget = streamed.early_decision.budget_bytes
    if not streamed.early_decision.enabled:
        return ["Early decisions are off (global.router.streamed_body.early_decision.enabled)."]
    if not decisions:
        return []
    late = [line for line in decisions if line.early is Early.NO and line.blockers]
    never = [line.name for line in decisions if line.early is Early.NO and not line.blockers]
    also = _sometimes(decisions) + ([f"Never matches: {', '.join(never)}."] if never else [])
    if not late:
        note = f"Every decision can fall early, before a body larger than {budget} bytes has ended."
        return [note, *also]
    blockers = ", ".join(dict.fromkeys(b for line in late for b in line.blockers))
    which = "No decision" if len(late) == len(decisions) else f"{len(late)} of {len(decisions)}"
    can = "can fall early" if len(late) == len(decisions) else "decisions cannot fall early"
    return [
        f"{which} {can}: {blockers} must see the whole body.",
        *_remedies(document),
        *also,
    ]


def _remedies(document: Document) -> list[str]:
    """What makes decisions early that are not."""
    if document.blocking:
        return [
            "  To change that, set `blocking: false` on the decisions that block (they then only",
            "  answer) and `scope: window` on their rules (these then judge the beginning only),",
            "  or rank the others above them (where those match, nothing is blocked).",
        ]
    return [
        "  To change that, set `scope: window` on those rules (they then judge the beginning",
        "  only), rank them below the others, or, where the gateway's routing ignores headers,",
        "  set global.router.streamed_body.early_decision.tail_insertion: true.",
    ]


def _blocking_notes(document: Document, decisions: tuple[DecisionLine, ...]) -> list[str]:
    """What blocking costs, and what holds where a blocking rule was not evaluated."""
    router = document.global_.router
    canned = ", ".join(line.name for line in decisions if line.kind is Kind.CANNED)
    notes = [f"Answers without a model, and does not block: {canned}."] if canned else []
    strict = [
        rule.name
        for rule in document.routing.decisions
        if kind_of(rule) is not Kind.BLOCK
        and any(unknown_of(document, leaf) == "fail_request" for leaf in leaves(rule.rules))
    ]
    if strict:
        notes.append(
            "Does not block, but refuses a request that was not evaluated (on_unknown, "
            f"prompt_guard.on_error): {', '.join(strict)}."
        )
    blocks = ", ".join(line.name for line in decisions if line.kind is Kind.BLOCK)
    if not blocks:
        return notes
    held = router.limits.max_request_bytes_held
    if router.blocking.on_error == "allow":
        missing = "passes as if they did not match"
    elif router.blocking.mode == "observe":
        missing = "is counted and logged, and passes"
    else:
        missing = "is refused"
    named = "waits for them too" if router.blocking_applies_to == "all" else "is not inspected"
    return [
        *notes,
        f"Blocks: {blocks}. While one of these can still win, a body is held whole, up to",
        f"  {held} bytes (global.router.limits.max_request_bytes_held), instead of being decided",
        "  early.",
        f"  A request on which their rules were not evaluated {missing}",
        f"  (global.router.blocking: on_error {router.blocking.on_error}, mode "
        f"{router.blocking.mode}).",
        f"  A request that names a model {named} (blocking_applies_to "
        f"{router.blocking_applies_to}).",
    ]


def _sometimes(decisions: tuple[DecisionLine, ...]) -> list[str]:
    lines = [line for line in decisions if line.early is Early.SOMETIMES]
    if not lines:
        return []
    names = ", ".join(line.name for line in lines)
    blockers = ", ".join(dict.fromkeys(b for line in lines for b in line.blockers))
    return [f"Early only while {blockers} cannot matter: {names}."]


def _tail_notes(document: Document) -> list[str]:
    if not document.global_.router.streamed_body.early_decision.tail_insertion:
        return []
    names = [
        rule.name
        for rule in document.routing.decisions
        if (prompt := rule.plugin(SystemPromptConfig)) is not None and prompt.active
    ]
    if not names:
        return ["Tail insertion is on: large bodies are routed on complete evidence."]
    return [
        "Tail insertion is on: the messages of a large body have gone when its decision falls, so "
        f"the system_prompt of these cannot be applied to it: {', '.join(names)}."
    ]


def _shortened(text: str) -> str:
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 3] + "..."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
