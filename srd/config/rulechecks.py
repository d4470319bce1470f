"""Signals and the rule trees that refer to them.

Why this file exists: part of `srd.config.checks`, apart because rule trees stand in decisions and
in complexity composers alike. It must not know how a rule matches.
"""

from collections.abc import Iterator

from srd.config.document import Document
from srd.config.problems import Problems, closest, join, quote
from srd.config.rules import BLOCK_MARK, Leaf, RuleNode, leaves, walk
from srd.config.signals import DOMAIN_LABELS, SIGNAL_KEYS

__all__ = ["LEVELS", "check_rule_tree", "check_signals", "declared"]

#: What a complexity rule says; a leaf names `rule:level`.
LEVELS = ("hard", "medium", "easy")

#: Leaf types whose answer no classifier takes part in, so none can fail.
_UNCLASSIFIED = frozenset(
    (
        "keyword",
        "language",
        "context",
        "structure",
        "conversation",
        "event",
        "metadata",
        "authz",
        "projection",
    )
)


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
            _marked(problems, join(join(path, index), "name"), rule.name)
    for index, complexity in enumerate(signals.complexity):
        if complexity.composer is not None:
            where = f"routing.signals.complexity[{index}].composer"
            check_rule_tree(document, problems, complexity.composer, where)
            _composed(problems, complexity.composer, where)
    _domains(document, problems)


def _domains(document: Document, problems: Problems) -> None:
    used = {
        leaf.name
        for decision in document.routing.decisions
        for leaf in leaves(decision.rules)
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
    for place in walk(tree):
        leaf = place.node
        if not isinstance(leaf, Leaf) or not leaf.type or not leaf.name:
            continue
        where = place.path(path)
        if leaf.type == "projection":
            key = "routing.projections"
        else:
            key = f"routing.signals.{SIGNAL_KEYS[leaf.type]}"
        names = declared(document, leaf.type)
        if not problems.broken(key) and "" not in names:
            _leaf(problems, leaf, where, names, key)
        _marked(problems, join(where, "label"), leaf.label)
        _classifier_keys(document, problems, leaf, where)


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
        if leaf.on_error and leaf.type in _UNCLASSIFIED:
            problems.error(
                join(path, "on_error"),
                f"on_error is for leaves that need a classifier, and {leaf.type} needs none",
                "on_unknown says what counts where it was not evaluated",
            )
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
