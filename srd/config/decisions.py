"""`routing.decisions`: a rule tree, the models it leads to, and the plugins it switches on.

Why this file exists: one module per part of upstream's v0.3 document, and what a decision does to a
request that it matches (`kind_of`), on which all else about blocking rests. It must not know how
trees are evaluated nor how plugins do what they do.
"""

import enum
from collections.abc import Mapping
from typing import Literal, TypeVar

import msgspec

from srd.config.base import Name, NotNegative, Opaque, Part, Word
from srd.config.plugins import FastResponseConfig, Plugin
from srd.config.rules import ALWAYS, Branch, Leaf, RuleNode, leaves
from srd.signals.table import TABLE

__all__ = [
    "ALWAYS",
    "Algorithm",
    "Branch",
    "DecisionRule",
    "Kind",
    "Leaf",
    "ModelRef",
    "RuleNode",
    "kind_of",
    "leaves",
]

C = TypeVar("C")

AlgorithmType = Literal[
    "",
    "static",
    "knn",
    "kmeans",
    "svm",
    "mlp",
    "router_dc",
    "automix",
    "hybrid",
    "latency_aware",
    "multi_factor",
    "prompt",
    "confidence",
    "ratings",
    "remom",
    "fusion",
    "workflows",
]


class ModelRef(Part, frozen=True, kw_only=True):
    """A model card and, with `lora_name`, the adapter of it that the backend gets to see."""

    model: Name
    lora_name: str = ""
    weight: float = 0.0
    use_reasoning: bool = False
    reasoning_description: str = ""
    reasoning_effort: str = ""

    @property
    def selected(self) -> str:
        """The name that the backend receives: the adapter's where one is named."""
        return self.lora_name or self.model


class Algorithm(Part, frozen=True, kw_only=True):
    """How one of several modelRefs is chosen.

    srd knows `static`; every other type warns and takes the first ref, as upstream does when a
    selector fails.
    """

    type: AlgorithmType = ""
    on_error: str = ""
    static: Opaque | None = None
    knn: Opaque | None = None
    kmeans: Opaque | None = None
    svm: Opaque | None = None
    mlp: Opaque | None = None
    router_dc: Opaque | None = None
    automix: Opaque | None = None
    hybrid: Opaque | None = None
    latency_aware: Opaque | None = None
    multi_factor: Opaque | None = None
    prompt: Opaque | None = None
    confidence: Opaque | None = None
    ratings: Opaque | None = None
    remom: Opaque | None = None
    fusion: Opaque | None = None
    workflows: Opaque | None = None


class DecisionRule(Part, frozen=True, kw_only=True):
    """One decision. Larger `priority` wins; `tier` > 0 is compared first, ascending.

    `blocking` is ours: whether a match refuses the request, so that the rules must have been
    evaluated on all of it. Unset, a `fast_response` over jailbreak, pii, classifier or keyword
    leaves blocks.
    """

    name: Name
    description: str = ""
    priority: int = 0
    tier: NotNegative = 0
    blocking: bool | None = None
    rules: RuleNode = ALWAYS
    model_refs: tuple[ModelRef, ...] = msgspec.field(name="modelRefs", default=())
    algorithm: Algorithm | None = None
    plugins: tuple[Plugin, ...] = ()
    annotations: Mapping[str, Word] = {}
    adaptations: Opaque | None = None
    candidate_iterations: tuple[Opaque, ...] = msgspec.field(name="candidateIterations", default=())
    emits: tuple[Opaque, ...] = ()
    output_contract: str = ""
    output_contract_spec: Opaque | None = None

    def plugin(self, kind: type[C]) -> C | None:
        """The configuration of the one plugin whose configuration is of this class, or None."""
        for plugin in self.plugins:
            if isinstance(plugin.configuration, kind):
                return plugin.configuration
        return None


class Kind(enum.Enum):
    """What a decision does to a request that it matches; the value is the word for people."""

    ROUTE = "routes"
    CANNED = "answers"
    BLOCK = "blocks"


def kind_of(decision: DecisionRule) -> Kind:
    """BLOCK where `blocking: true` says so, or where nothing is said and a `fast_response` answers
    over a leaf that guards (`SignalType.guards`). Any other `fast_response` is CANNED."""
    answers = decision.plugin(FastResponseConfig) is not None
    types = {leaf.type for leaf in leaves(decision.rules)}
    guards = any(entry.guards for entry in TABLE if entry.name in types)
    blocks = answers and guards if decision.blocking is None else decision.blocking
    if blocks:
        return Kind.BLOCK
    return Kind.CANNED if answers else Kind.ROUTE
