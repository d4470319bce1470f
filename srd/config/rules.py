"""The rule tree: leaves that name signals, branches that combine them.

Why this file exists: decisions and complexity composers share the same trees (as upstream).
It must not know what a signal answers; three-valued evaluation lives in `srd.decide`.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

import msgspec

from srd.config.base import Name, Part, Word

__all__ = [
    "ALWAYS",
    "BLOCK_MARK",
    "Branch",
    "Leaf",
    "LeafType",
    "Operator",
    "Predicate",
    "RuleNode",
    "leaf_key",
    "leaves",
    "shown_key",
]

Operator = Literal["AND", "OR", "NOT"]

#: What a leaf asks: the name of a signal type. The types are those of `srd.signals.table`, whose
#: modules use these trees, so the annotation can only say where to look.
LeafType = Annotated[str, msgspec.Meta(extra={"leaf_type": True})]


class Predicate(Part, frozen=True, kw_only=True):
    """Bounds that a number must keep, all of those given."""

    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


class Leaf(Part, frozen=True, kw_only=True):
    """True when the signal `type:name` matches.

    `label` and `predicate` belong to `classifier` leaves only. `on_error` says what counts where a
    classifier failed; `on_unknown` is ours, and says what counts where a leaf could have been
    evaluated and was not (under a blocking decision fail_request where neither is written).
    """

    type: LeafType
    name: Name
    label: Word = ""
    predicate: Predicate | None = None
    on_error: Literal["", "no_match", "match"] = ""
    on_unknown: Literal["", "no_match", "match", "fail_request"] = ""


class Branch(Part, frozen=True, kw_only=True):
    """AND of nothing is true, OR of nothing is false, NOT has exactly one condition."""

    operator: Operator
    conditions: tuple["RuleNode", ...] = ()


RuleNode: TypeAlias = Leaf | Branch

#: The tree of a decision that writes no rules: always true, with confidence 0.
ALWAYS: RuleNode = Branch(operator="AND", conditions=())


#: Ends the key of a leaf in its blocking use. No rule's name and no label may end so.
BLOCK_MARK = "@block"


def leaf_key(leaf: Leaf, blocking: bool = False) -> str:
    """The name of a leaf's reading: `type:name`, with `:label` for a classifier's leaf.

    Under a blocking decision a leaf looks at another text than the same leaf elsewhere, so there
    (`blocking`) its key is another one.
    """
    key = f"{leaf.type}:{leaf.name}:{leaf.label}" if leaf.label else f"{leaf.type}:{leaf.name}"
    return key + BLOCK_MARK if blocking else key


def shown_key(key: str) -> str:
    """The key without the mark of the blocking use: what people get to see."""
    return key.removesuffix(BLOCK_MARK)


def leaves(node: RuleNode) -> Iterator[Leaf]:
    """Every leaf of the tree, in document order, without recursion."""
    stack: list[RuleNode] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, Leaf):
            yield current
        else:
            stack.extend(reversed(current.conditions))
