"""How much of a body each signal needs, and what that does to deciding early.

Why this file exists: signals, `srd check` and the documentation must agree on the scopes. It must
not know how a signal answers, only whether it may answer before the body has ended.
"""

import enum

from srd.config.base import Scope
from srd.config.document import Document
from srd.config.rules import Leaf, RuleNode, leaves
from srd.signals.table import BY_NAME, switched_off

__all__ = ["Early", "can_be_early", "full_leaves", "is_dead", "scope_of"]


def scope_of(document: Document, leaf: Leaf) -> Scope:
    """The scope of the rule that a leaf refers to: its own, else its type's."""
    entry = BY_NAME[leaf.type]
    rule = entry.find(document.routing.signals.of(entry), leaf.name)
    return (rule.scope if rule else None) or entry.scope


def is_dead(document: Document, leaf: Leaf) -> bool:
    """True when such a leaf is false for every request, known from the start: srd does not have its
    signal, or its classifier is switched off."""
    entry = BY_NAME[leaf.type]
    rule = entry.find(document.routing.signals.of(entry), leaf.name)
    if not entry.evaluated or rule is None:
        return True
    off = switched_off(document.global_.model_catalog.modules)
    return not off.isdisjoint(entry.heads(rule))


class Early(enum.StrEnum):
    """Whether a decision can fall before the body has ended."""

    YES = "yes"
    SOMETIMES = "sometimes"
    NO = "no"


def full_leaves(document: Document, tree: RuleNode) -> tuple[str, ...]:
    """The leaves of a tree that need the whole body, as `type:name`, each once.

    Leaves of a complexity rule's composer count as leaves of the tree.
    """
    found: dict[str, None] = {}
    seen: set[str] = set()
    stack = list(leaves(tree))[::-1]
    while stack:
        leaf = stack.pop()
        key = f"{leaf.type}:{leaf.name}"
        if scope_of(document, leaf) == "full" and not is_dead(document, leaf):
            found[key] = None
        composer = _composer(document, leaf)
        if composer is not None and key not in seen:
            stack.extend(reversed(list(leaves(composer))))
        seen.add(key)
    return tuple(found)


def can_be_early(document: Document, index: int) -> tuple[Early, tuple[str, ...]]:
    """Whether decision `index` can be final early, and the leaves that stand in its way.

    It can when its tree can be true, and every decision that could still outrank it can be false,
    while all full-scope leaves are unknown (design: three-valued decisions). Leaves are taken as
    independent of each other.
    """
    decisions = document.routing.decisions
    own = _reach(document, decisions[index].rules)
    in_the_way: list[str] = []
    never = "T" not in own
    unsure = "U" in own
    if never or unsure:
        in_the_way += full_leaves(document, decisions[index].rules)
    for other in range(len(decisions)):
        if other == index or not _may_outrank(document, other, index):
            continue
        reach = _reach(document, decisions[other].rules)
        if "U" in reach:
            in_the_way += full_leaves(document, decisions[other].rules)
            never = never or "F" not in reach
            unsure = True
    early = Early.NO if never else Early.SOMETIMES if unsure else Early.YES
    return early, tuple(dict.fromkeys(in_the_way))


def _may_outrank(document: Document, other: int, index: int) -> bool:
    """Whether a match of `other` could beat one of `index` (as upstream); ties count."""
    decisions = document.routing.decisions
    one, two = decisions[other], decisions[index]
    if any(decision.tier > 0 for decision in decisions):
        return one.tier <= two.tier or one.priority >= two.priority
    if document.strategy == "confidence":
        return True
    return one.priority >= two.priority


def _composer(document: Document, leaf: Leaf) -> RuleNode | None:
    """The tree that the leaf's rule demands besides, or None."""
    entry = BY_NAME[leaf.type]
    rule = entry.find(document.routing.signals.of(entry), leaf.name)
    return None if rule is None else entry.composer(rule)


def _reach(document: Document, node: RuleNode, depth: int = 0) -> frozenset[str]:
    """The truth values (T, F, U) that a tree can have while full-scope leaves are unknown."""
    if isinstance(node, Leaf):
        if is_dead(document, node):
            return frozenset("F")
        own = frozenset("U" if scope_of(document, node) == "full" else "TF")
        composer = _composer(document, node)
        if composer is None or depth > _MAX_COMPOSERS:
            return own
        return _combined("AND", [own, _reach(document, composer, depth + 1)])
    inner = [_reach(document, child, depth) for child in node.conditions]
    if node.operator == "NOT":
        return frozenset(value.translate(_NOT) for value in inner[0]) if inner else frozenset("T")
    return _combined(node.operator, inner)


#: Composers may refer to complexity rules with composers; a circle must end somewhere.
_MAX_COMPOSERS = 8
_NOT = str.maketrans("TF", "FT")


def _combined(operator: str, inner: list[frozenset[str]]) -> frozenset[str]:
    """AND and OR: `absorbing` settles the branch alone, `neutral` needs every child."""
    neutral, absorbing = ("T", "F") if operator == "AND" else ("F", "T")
    values = set()
    if all(neutral in child for child in inner):
        values.add(neutral)
    if any(absorbing in child for child in inner):
        values.add(absorbing)
    if any("U" in child for child in inner) and all(child & {neutral, "U"} for child in inner):
        values.add("U")
    return frozenset(values)
