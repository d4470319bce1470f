"""Signals and the rule trees that refer to them.

Why this file exists: part of `srd.config.checks`, apart because rule trees stand in decisions and
in complexity composers alike. It must not know how a rule matches.
"""

from collections.abc import Iterator
from typing import Any

from srd.config.document import Document
from srd.config.problems import Problems, closest, join, quote
from srd.config.rules import Leaf, RuleNode
from srd.signals.entry import Place, SignalType
from srd.signals.table import BY_NAME, TABLE

__all__ = ["check_rule_tree", "check_signals", "declared"]


def check_signals(document: Document, problems: Problems) -> None:
    """Names of rules are unique per type; what each type demands of its rules holds."""
    signals = document.routing.signals
    used = {
        (leaf.type, BY_NAME[leaf.type].split(leaf.name)[0])
        for decision in document.routing.decisions
        for leaf, _ in walk(decision.rules, "")
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
            if (composer := entry.composer(rule)) is not None:
                check_rule_tree(document, problems, composer, join(path, "composer"))
            is_used = (entry.name, entry.key(rule)) in used
            entry.check(rule, Place(problems, path, is_used))


def check_rule_tree(document: Document, problems: Problems, tree: RuleNode, path: str) -> None:
    """Every leaf refers to something that is declared, in the way its type demands."""
    for leaf, where in walk(tree, path):
        if not leaf.type or not leaf.name:
            continue
        entry = BY_NAME[leaf.type]
        names = declared(document, entry)
        if not problems.broken(entry.path) and "" not in names:
            _leaf(problems, leaf, where, names)
        _labels(document, problems, leaf, where)


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
        if leaf.on_error:
            problems.error(join(path, "on_error"), f"on_error belongs to {kinds} leaves only")
        return
    rule = entry.find(document.routing.signals.of(entry), leaf.name)
    labels = entry.labels(rule) if rule is not None else ()
    if labels and leaf.label not in ("", *labels):
        problems.error(
            join(path, "label"),
            f"{entry.name} {quote(leaf.name)} has no label {quote(leaf.label)}",
            closest(leaf.label, labels),
        )


def declared(document: Document, entry: SignalType[Any]) -> tuple[str, ...]:
    """The names that a leaf of this type may use, each without an answer behind it."""
    if entry.names is not None:
        return tuple(entry.names(document))
    return tuple(entry.key(rule) for rule in document.routing.signals.of(entry))


def walk(tree: RuleNode, path: str) -> Iterator[tuple[Leaf, str]]:
    """Every leaf with its path, in document order."""
    stack: list[tuple[RuleNode, str]] = [(tree, path)]
    while stack:
        node, where = stack.pop()
        if isinstance(node, Leaf):
            yield node, where
        else:
            inner = join(where, "conditions")
            children = enumerate(node.conditions)
            stack.extend(reversed([(child, join(inner, i)) for i, child in children]))
