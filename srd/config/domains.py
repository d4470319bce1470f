"""Domains that decisions use without declaring them.

Why this file exists: with an empty `routing.signals.domains` the leaves of the decisions declare
their domains themselves (as upstream).
"""

import msgspec

from srd.config.document import Document
from srd.config.rules import Leaf, leaves
from srd.signals.domain import DOMAIN_LABELS, ENTRY, DomainRule

__all__ = ["declare_domains", "domain_leaves"]


def declare_domains(document: Document) -> Document:
    """The document with a domain for every domain leaf, when it declares none at all.

    A classifier label matches itself. Any other name stands for `other`, as upstream has it;
    upstream adds `other` to the labels too, which would send general prompts to every decision.
    """
    signals = document.routing.signals
    if signals.of(ENTRY):
        return document
    names = dict.fromkeys(leaf.name for leaf in domain_leaves(document) if leaf.name)
    domains = tuple(
        DomainRule(name=name, mmlu_categories=() if name in DOMAIN_LABELS else ("other",))
        for name in names
    )
    signals = msgspec.structs.replace(signals, **{ENTRY.section: domains})
    routing = msgspec.structs.replace(document.routing, signals=signals)
    return msgspec.structs.replace(document, routing=routing)


def domain_leaves(document: Document) -> list[Leaf]:
    """Every leaf of type domain in the decisions, in document order."""
    return [
        leaf
        for decision in document.routing.decisions
        for leaf in leaves(decision.rules)
        if leaf.type == ENTRY.name
    ]
