"""Small documents, built from the structs, for the tests of rules, ranking and model choice."""

from collections.abc import Callable, Mapping

import pytest

from srd.config.decisions import DecisionRule
from srd.config.document import Document
from srd.config.routing import Routing
from srd.config.rules import Branch, Leaf, RuleNode
from srd.signals.base import Reading, Truth


def _tree(spec: object) -> RuleNode:
    """ "kw:a" is a leaf; ("AND", …), ("OR", …) and ("NOT", x) are branches."""
    if isinstance(spec, str):
        kind, name = spec.split(":", 1)
        return Leaf(type=kind, name=name)
    assert isinstance(spec, tuple)
    operator, *children = spec
    return Branch(operator=operator, conditions=tuple(_tree(child) for child in children))


@pytest.fixture(scope="session")
def tree() -> Callable[[object], RuleNode]:
    """Turns nested tuples into a rule tree."""
    return _tree


@pytest.fixture(scope="session")
def document() -> Callable[..., Document]:
    """A document of nothing but decisions: name -> (tree, priority, tier)."""

    def build(decisions: Mapping[str, tuple[object, int, int]], strategy: str = "") -> Document:
        return Document(
            routing=Routing(
                strategy=strategy,
                decisions=tuple(
                    DecisionRule(name=name, rules=_tree(spec), priority=priority, tier=tier)
                    for name, (spec, priority, tier) in decisions.items()
                ),
            )
        )

    return build


@pytest.fixture(scope="session")
def readings() -> Callable[..., dict[str, Reading]]:
    """Readings by key: a number is TRUE with that confidence, False is FALSE, None is UNKNOWN."""

    def build(values: Mapping[str, float | bool | None]) -> dict[str, Reading]:
        found = {}
        for key, value in values.items():
            if value is None:
                found[key] = Reading(Truth.UNKNOWN, confidence=0.0)
            elif value is False:
                found[key] = Reading(Truth.FALSE)
            else:
                found[key] = Reading(Truth.TRUE, confidence=float(value))
        return found

    return build
