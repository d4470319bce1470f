"""Signals and the rule trees that refer to them.

Why this file exists: part of `srd.config.checks`, apart because rule trees stand in decisions and
in complexity composers alike. It must not know how a rule matches.
"""

from typing import Any

from srd.config.document import Document
from srd.config.problems import Problems, closest, join, quote
from srd.config.rules import BLOCK_MARK, Leaf, RuleNode, leaves, walk
from srd.signals.entry import Place, SignalType
from srd.signals.table import BY_NAME, TABLE

__all__ = ["check_rule_tree", "check_signals", "declared"]


def check_signals(document: Document, problems: Problems) -> None:
    """Names of rules are unique per type; what each type demands of its rules holds."""
    signals = document.routing.signals
    used = {
        (leaf.type, BY_NAME[leaf.type].split(leaf.name)[0])
        for decision in document.routing.decisions
        for leaf in leaves(decision.rules)
        if leaf.type
    }
    for entry in TABLE:
        first: dict[str, int] = {}
        for index, rule in enumerate(signals.of(entry)):
            path = join(entry.path, index)
            if rule.name and rule.name in first:
                problems.error(
                    join(path, "name"),
                    f"there are two {entry.name} rules named {quote(rule.name)}",
                    f"the first is {join(entry.path, first[rule.name])}",
                )
            first.setdefault(rule.name, index)
            _marked(problems, join(path, "name"), rule.name)
            if (composer := entry.composer(rule)) is not None:
                check_rule_tree(document, problems, composer, join(path, "composer"))
                _composed(problems, composer, join(path, "composer"))
            is_used = (entry.name, entry.key(rule)) in used
            entry.check(rule, Place(problems, path, is_used))


def check_rule_tree(document: Document, problems: Problems, tree: RuleNode, path: str) -> None:
    """Every leaf refers to something that is declared, in the way its type demands."""
    for place in walk(tree):
        leaf = place.node
        if not isinstance(leaf, Leaf) or not leaf.type or not leaf.name:
            continue
        where = place.path(path)
        entry = BY_NAME[leaf.type]
        names = declared(document, entry)
        if not problems.broken(entry.path) and "" not in names:
            _leaf(problems, leaf, where, names)
        _marked(problems, join(where, "label"), leaf.label)
        _labels(document, problems, leaf, where)


def _composed(problems: Problems, tree: RuleNode, path: str) -> None:
    """What an unknown leaf counts as is asked of decisions; inside a composer nobody asks."""
    for place in walk(tree):
        leaf = place.node
        for key in ("on_error", "on_unknown"):
            if isinstance(leaf, Leaf) and getattr(leaf, key):
                where = join(place.path(path), key)
                hint = "write it on the complexity leaf of the decision"
                problems.warn(where, f"{key} does nothing in a composer", hint)


def _marked(problems: Problems, path: str, name: str) -> None:
    if name.endswith(BLOCK_MARK):
        problems.error(path, f"{quote(name)} ends in {BLOCK_MARK}, which srd writes itself")


def _leaf(problems: Problems, leaf: Leaf, path: str, names: tuple[str, ...]) -> None:
    entry, where = BY_NAME[leaf.type], join(path, "name")
    name, answer = entry.split(leaf.name)
    if entry.answers and ":" not in leaf.name:
        example = quote(f"{name}:{entry.answers[0]}")
        problems.error(where, f"a {entry.name} leaf names rule:level", f"write {example}")
    elif entry.answers and answer not in entry.answers:
        problems.error(where, f"{quote(answer)} is no level", closest(answer, entry.answers))
    if name not in names:
        hint = closest(name, names) or f"declare it in {entry.path}"
        problems.error(where, f"there is no {entry.name} rule {quote(name)}", hint)


def _labels(document: Document, problems: Problems, leaf: Leaf, path: str) -> None:
    entry = BY_NAME[leaf.type]
    if entry.labels is None:
        kinds = " and ".join(other.name for other in TABLE if other.labels is not None)
        for key, value in (("label", leaf.label), ("predicate", leaf.predicate)):
            if value:
                problems.error(join(path, key), f"{key} belongs to {kinds} leaves only")
        _on_error(document, problems, leaf, path)
        return
    rule = entry.find(document.routing.signals.of(entry), leaf.name)
    labels = entry.labels(rule) if rule is not None else ()
    if labels and leaf.label not in ("", *labels):
        problems.error(
            join(path, "label"),
            f"{entry.name} {quote(leaf.name)} has no label {quote(leaf.label)}",
            closest(leaf.label, labels),
        )


def _on_error(document: Document, problems: Problems, leaf: Leaf, path: str) -> None:
    entry = BY_NAME[leaf.type]
    rule = entry.find(document.routing.signals.of(entry), leaf.name)
    unclassified = entry.evaluated and rule is not None and not entry.heads(rule)
    if leaf.on_error and (unclassified or entry.elsewhere):
        problems.error(
            join(path, "on_error"),
            f"on_error is for leaves that need a classifier, and {leaf.type} needs none",
            "on_unknown says what counts where it was not evaluated",
        )


def declared(document: Document, entry: SignalType[Any]) -> tuple[str, ...]:
    """The names that a leaf of this type may use, each without an answer behind it."""
    if entry.names is not None:
        return tuple(entry.names(document))
    return tuple(entry.key(rule) for rule in document.routing.signals.of(entry))
