"""`routing`: model cards, signals, decisions, and how decisions are ranked.

Why this file exists: one module per part of upstream's v0.3 document.
"""

from typing import Literal

import msgspec

from srd.config.base import Name, NotNegative, Opaque, Part, Word
from srd.config.decisions import DecisionRule
from srd.config.signals import Signals

__all__ = ["Entrypoint", "Lora", "ModelCard", "Projections", "Recipe", "Routing", "Strategy"]

Strategy = Literal["", "priority", "confidence"]


class Lora(Part, frozen=True, kw_only=True):
    """An adapter of a card. Its name is a legal model name everywhere."""

    name: Name
    description: str = ""


class ModelCard(Part, frozen=True, kw_only=True):
    """A model that routing may name, with its adapters."""

    name: Name
    param_size: Word = ""
    context_window_size: NotNegative = 0
    description: str = ""
    capabilities: tuple[Word, ...] = ()
    loras: tuple[Lora, ...] = ()
    quality_score: float = 0.0
    modality: str = ""
    tags: tuple[Word, ...] = ()


class Projections(Part, frozen=True, kw_only=True):
    """Derived signals; accepted, not evaluated. Only the names that leaves refer to are typed."""

    partitions: tuple[Opaque, ...] = ()
    scores: tuple[Opaque, ...] = ()
    mappings: tuple[Opaque, ...] = ()


class Routing(Part, frozen=True, kw_only=True):
    """What is asked of a prompt and what follows from the answers.

    `strategy` overrides `global.router.strategy`.
    """

    strategy: Strategy = ""
    model_cards: tuple[ModelCard, ...] = msgspec.field(name="modelCards", default=())
    signals: Signals = msgspec.field(default_factory=Signals)
    projections: Projections = msgspec.field(default_factory=Projections)
    decisions: tuple[DecisionRule, ...] = ()


class Recipe(Part, frozen=True, kw_only=True):
    """An isolated copy of `routing` under a name; accepted, not routed by."""

    name: Name
    description: str = ""
    routing: Opaque = msgspec.field(default_factory=dict)


class Entrypoint(Part, frozen=True, kw_only=True):
    """Virtual model names that select a recipe; accepted, not routed by."""

    model_names: tuple[str, ...] = ()
    recipe: str = ""
