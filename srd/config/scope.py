"""How much of a body each signal needs, what counts where it was not evaluated, and what both do to
deciding early.

Why this file exists: signals, the engine, `srd check` and the documentation must agree on them. It
must not know how a signal answers, only whether it may answer before the body has ended.
"""

import enum
from collections.abc import Sequence

from srd.config.base import Scope
from srd.config.decisions import DecisionRule, Kind, kind_of
from srd.config.document import Document
from srd.config.rules import Leaf, RuleNode, Unknown, leaf_key, leaves
from srd.config.trees import Algebra, fold
from srd.signals.table import BY_NAME, switched_off

__all__ = [
    "Early",
    "can_be_early",
    "full_leaves",
    "is_dead",
    "may_match",
    "may_outrank",
    "scope_of",
    "unknown_of",
]


def scope_of(document: Document, leaf: Leaf, blocking: bool = False) -> Scope:
    """The scope of the rule that a leaf refers to: full under a blocking decision, whatever the
    rule says; else its own, else its type's."""
    if blocking:
        return "full"
    entry = BY_NAME[leaf.type]
    rule = entry.find(document.routing.signals.of(entry), leaf.name)
    return (rule.scope if rule else None) or entry.scope


def unknown_of(document: Document, leaf: Leaf, blocking: bool = False) -> Unknown:
    """What counts where this leaf was not evaluated, with or without a classifier's failure.

    The leaf's own `on_unknown`, else its `on_error`; else for a jailbreak leaf what `prompt_guard`
    says; else, under a blocking decision, a refusal unless `blocking.on_error` allows.
    """
    if leaf.on_unknown:
        return leaf.on_unknown
    if leaf.on_error:
        return leaf.on_error
    guard = document.global_.model_catalog.modules.prompt_guard.on_error
    if leaf.type == "jailbreak" and guard:
        return "fail_request" if guard == "block" else "no_match"
    refuses = blocking and document.global_.router.blocking.on_error == "refuse"
    return "fail_request" if refuses else "no_match"


def is_dead(document: Document, leaf: Leaf) -> bool:
    """True when srd cannot evaluate such a leaf for any request, known from the start: it does not
    have its signal, or the classifier is switched off. Unless the leaf says `on_unknown`, it is
    false."""
    entry = BY_NAME[leaf.type]
    rule = entry.find(document.routing.signals.of(entry), leaf.name)
    if rule is None:
        return not entry.evaluated
    if not entry.evaluated or not entry.readable(rule):
        return True
    off = switched_off(document.global_.model_catalog.modules)
    return not off.isdisjoint(entry.heads(rule))


class Early(enum.StrEnum):
    """Whether a decision can fall before the body has ended."""

    YES = "yes"
    SOMETIMES = "sometimes"
    NO = "no"


def full_leaves(document: Document, tree: RuleNode, blocking: bool = False) -> tuple[str, ...]:
    """The leaves of a tree that need the whole body, as `type:name`, each once.

    Leaves of a complexity rule's composer count as leaves of the tree.
    """
    found: dict[str, None] = {}
    seen: set[str] = set()
    stack = list(leaves(tree))[::-1]
    while stack:
        leaf = stack.pop()
        key = leaf_key(leaf)
        if "U" in _own_reach(document, leaf, blocking):
            found[key] = None
        composer = _composer(document, leaf)
        if composer is not None and key not in seen:
            stack.extend(reversed(list(leaves(composer))))
        seen.add(key)
    return tuple(found)


def can_be_early(document: Document, index: int) -> tuple[Early, tuple[str, ...]]:
    """Whether decision `index` can be final early, and the leaves that stand in its way.

    It can when its tree can be true, and every decision that could still outrank it can be false,
    while all full-scope leaves are unknown (design: three-valued decisions); every leaf under a
    blocking decision is one. Leaves are taken as independent of each other.
    """
    decisions = document.routing.decisions
    own = _reach(document, decisions[index])
    in_the_way: list[str] = []
    never = "T" not in own
    unsure = "U" in own
    if never or unsure:
        in_the_way += _full(document, decisions[index])
    for other in range(len(decisions)):
        if other == index or not may_outrank(document, other, index):
            continue
        reach = _reach(document, decisions[other])
        if "U" in reach:
            in_the_way += _full(document, decisions[other])
            never = never or "F" not in reach
            unsure = True
    early = Early.NO if never else Early.SOMETIMES if unsure else Early.YES
    return early, tuple(dict.fromkeys(in_the_way))


def may_outrank(document: Document, other: int, index: int) -> bool:
    """Whether a match of `other` could beat one of `index` (as upstream); ties count."""
    decisions = document.routing.decisions
    one, two = decisions[other], decisions[index]
    if any(decision.tier > 0 for decision in decisions):
        return one.tier <= two.tier or one.priority >= two.priority
    if document.strategy == "confidence":
        return True
    return one.priority >= two.priority


def may_match(document: Document, index: int) -> bool:
    """Whether decision `index` can be true for any request; leaves are taken as independent."""
    return not _reach(document, document.routing.decisions[index]).isdisjoint("TU")


def _full(document: Document, rule: DecisionRule) -> tuple[str, ...]:
    return full_leaves(document, rule.rules, kind_of(rule) is Kind.BLOCK)


def _composer(document: Document, leaf: Leaf) -> RuleNode | None:
    """The tree that the leaf's rule demands besides, or None."""
    entry = BY_NAME[leaf.type]
    rule = entry.find(document.routing.signals.of(entry), leaf.name)
    return None if rule is None else entry.composer(rule)


#: Truth values (T, F, U) that a node can have.
_Reach = frozenset[str]


class _Reaches:
    """AND, OR and NOT over the values that independent nodes can have."""

    def all_of(self, children: Sequence[_Reach]) -> _Reach:
        return self._combined("T", "F", children)

    def any_of(self, children: Sequence[_Reach]) -> _Reach:
        return self._combined("F", "T", children)

    def negation(self, child: _Reach) -> _Reach:
        return frozenset(value.translate(_NOT) for value in child)

    @staticmethod
    def _combined(neutral: str, absorbing: str, children: Sequence[_Reach]) -> _Reach:
        values = set()
        if all(neutral in child for child in children):
            values.add(neutral)
        if any(absorbing in child for child in children):
            values.add(absorbing)
        if any("U" in child for child in children) and all(
            child & {neutral, "U"} for child in children
        ):
            values.add("U")
        return frozenset(values)


_NOT = str.maketrans("TF", "FT")
_REACHES: Algebra[_Reach] = _Reaches()

#: Composers may refer to complexity rules with composers; a circle must end somewhere.
_MAX_COMPOSERS = 8


def _reach(document: Document, rule: DecisionRule) -> _Reach:
    """The truth values that a decision can have while full-scope leaves are unknown."""
    blocking = kind_of(rule) is Kind.BLOCK
    composed: dict[tuple[str, int], _Reach] = {}  # a composer's by its leaf, each once at a depth

    def within(tree: RuleNode, depth: int) -> _Reach:
        def of(leaf: Leaf) -> _Reach:
            own = _own_reach(document, leaf, blocking)
            composer = _composer(document, leaf)
            if composer is None or depth > _MAX_COMPOSERS:
                return own
            key = (leaf.name, depth)
            if key not in composed:
                composed[key] = within(composer, depth + 1)
            return _REACHES.all_of([own, composed[key]])

        return fold(tree, of, _REACHES)

    return within(rule.rules, 0)


#: What a leaf that nobody evaluates is from the start.
_DEAD: dict[str, _Reach] = {
    "": frozenset("F"),
    "no_match": frozenset("F"),
    "match": frozenset("T"),
    "fail_request": frozenset("U"),
}


def _own_reach(document: Document, leaf: Leaf, blocking: bool) -> _Reach:
    """The values of one leaf, without its rule's composer."""
    if is_dead(document, leaf):
        return _DEAD[leaf.on_unknown]
    return frozenset("U" if scope_of(document, leaf, blocking) == "full" else "TF")
