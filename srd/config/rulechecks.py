"""Signals and the rule trees that refer to them.

Why this file exists: part of `srd.config.checks`, apart because rule trees stand in decisions and
in complexity composers alike. It must not know how a rule matches.
"""

from collections.abc import Iterator

from srd.config.document import Document
from srd.config.problems import Problems, closest, join, quote
from srd.config.rules import Leaf, RuleNode
from srd.config.signals import DOMAIN_LABELS, SIGNAL_KEYS

__all__ = ["LEVELS", "check_rule_tree", "check_signals", "declared"]

#: What a complexity rule says; a leaf names `rule:level`.
LEVELS = ("hard", "medium", "easy")


def check_signals(document: Document, problems: Problems) -> None:
    """Names of rules are unique per type; domains name known labels."""
    signals = document.routing.signals
    for leaf_type, key in SIGNAL_KEYS.items():
        path = f"routing.signals.{key}"
        first: dict[str, int] = {}
        for index, rule in enumerate(signals.of(leaf_type)):
            if rule.name and rule.name in first:
                problems.error(
                    join(join(path, index), "name"),
                    f"there are two {leaf_type} rules named {quote(rule.name)}",
                    f"the first is {join(path, first[rule.name])}",
                )
            first.setdefault(rule.name, index)
    for index, complexity in enumerate(signals.complexity):
        if complexity.composer is not None:
            where = f"routing.signals.complexity[{index}].composer"
            check_rule_tree(document, problems, complexity.composer, where)
    _domains(document, problems)


def _domains(document: Document, problems: Problems) -> None:
    used = {
        leaf.name
        for decision in document.routing.decisions
        for leaf, _ in walk(decision.rules, "")
        if leaf.type == "domain"
    }
    for index, rule in enumerate(document.routing.signals.domains):
        path = f"routing.signals.domains[{index}]"
        for number, label in enumerate(rule.mmlu_categories):
            if label and label.casefold() not in DOMAIN_LABELS:
                problems.error(
                    join(join(path, "mmlu_categories"), number),
                    f"{quote(label)} is not a label of the domain classifier",
                    closest(label, DOMAIN_LABELS) or "known: " + ", ".join(DOMAIN_LABELS),
                )
        if not rule.name or rule.mmlu_categories or rule.examples:
            continue
        if rule.name.casefold() not in DOMAIN_LABELS:
            note = "" if rule.name in used else "; no decision uses it"
            problems.warn(
                join(path, "name"),
                f"domain {quote(rule.name)} never matches: it is no label of the classifier{note}",
                "give it mmlu_categories, or examples to match by similarity",
            )


def check_rule_tree(document: Document, problems: Problems, tree: RuleNode, path: str) -> None:
    """Every leaf refers to something that is declared, in the way its type demands."""
    for leaf, where in walk(tree, path):
        if not leaf.type or not leaf.name:
            continue
        if leaf.type == "projection":
            key = "routing.projections"
        else:
            key = f"routing.signals.{SIGNAL_KEYS[leaf.type]}"
        names = declared(document, leaf.type)
        if not problems.broken(key) and "" not in names:
            _leaf(problems, leaf, where, names, key)
        _classifier_keys(document, problems, leaf, where)


def _leaf(problems: Problems, leaf: Leaf, path: str, names: tuple[str, ...], key: str) -> None:
    name, where = leaf.name, join(path, "name")
    if leaf.type == "complexity":
        name, colon, level = leaf.name.rpartition(":")
        if not colon:
            name = leaf.name
            problems.error(
                where, "a complexity leaf names rule:level", f"write {quote(name + ':hard')}"
            )
        elif level not in LEVELS:
            problems.error(where, f"{quote(level)} is no level", closest(level, LEVELS))
    if name not in names:
        hint = closest(name, names) or f"declare it in {key}"
        problems.error(where, f"there is no {leaf.type} rule {quote(name)}", hint)


def _classifier_keys(document: Document, problems: Problems, leaf: Leaf, path: str) -> None:
    if leaf.type != "classifier":
        for key, value in (("label", leaf.label), ("predicate", leaf.predicate)):
            if value:
                problems.error(join(path, key), f"{key} belongs to classifier leaves only")
        if leaf.on_error:
            problems.error(join(path, "on_error"), "on_error belongs to classifier leaves only")
        return
    for rule in document.routing.signals.classifiers:
        known = leaf.label in ("", *rule.labels) or not rule.labels
        if rule.name == leaf.name and not known:
            problems.error(
                join(path, "label"),
                f"classifier {quote(rule.name)} has no label {quote(leaf.label)}",
                closest(leaf.label, rule.labels),
            )


def declared(document: Document, leaf_type: str) -> tuple[str, ...]:
    """The names that a leaf of this type may use (for complexity, without the level)."""
    if leaf_type == "projection":
        return tuple(_projection_outputs(document))
    if leaf_type == "authz":
        return tuple(binding.role for binding in document.routing.signals.role_bindings)
    return tuple(rule.name for rule in document.routing.signals.of(leaf_type))


def _projection_outputs(document: Document) -> Iterator[str]:
    for mapping in document.routing.projections.mappings:
        outputs = mapping.get("outputs")
        for output in outputs if isinstance(outputs, tuple) else ():
            if isinstance(output, dict):
                yield str(output.get("name", ""))


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
