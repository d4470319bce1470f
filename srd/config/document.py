"""The v0.3 document as one frozen value, and the questions that others ask of it.

Why this file exists: every room reads the same configuration; what can be derived from it is
derived here once. It must not know files, YAML or problems: a Document that comes from
`srd.config.load` is valid by construction.
"""

from functools import cached_property

import msgspec

from srd.config.base import Part, Word
from srd.config.decisions import Kind, kind_of
from srd.config.globals import Global
from srd.config.providers import ProviderModel, Providers, ReasoningFamily
from srd.config.routing import Entrypoint, ModelCard, Recipe, Routing

__all__ = ["DEFAULT_AUTO_NAMES", "Document", "Listener"]

#: Names that are routed when the document lists none; the last one is renamed by
#: `global.router.auto_model_name` (as upstream).
DEFAULT_AUTO_NAMES: tuple[str, str, str] = ("vllm-sr/auto", "auto", "MoM")


class Listener(Part, frozen=True, kw_only=True):
    """A port of the gateway; read by upstream's own CLI only."""

    name: str = ""
    address: str = ""
    port: int = 0
    timeout: Word = ""


class Document(Part, frozen=True, kw_only=True, dict=True):
    """A complete configuration. Lookups take a model's or an adapter's name."""

    version: str = "v0.3"
    listeners: tuple[Listener, ...] = ()
    providers: Providers = msgspec.field(default_factory=Providers)
    routing: Routing = msgspec.field(default_factory=Routing)
    entrypoints: tuple[Entrypoint, ...] = ()
    recipes: tuple[Recipe, ...] = ()
    global_: Global = msgspec.field(name="global", default_factory=Global)

    @property
    def strategy(self) -> str:
        """How decisions are ranked: "priority" or "confidence"."""
        return self.routing.strategy or self.global_.router.strategy or "priority"

    @property
    def default_model(self) -> str:
        """What serves a request that no decision matches; "" when the document names none."""
        return self.providers.defaults.default_model

    @cached_property
    def blocking(self) -> frozenset[str]:
        """The names of the decisions that block."""
        return self._of_kind(Kind.BLOCK)

    @cached_property
    def canned(self) -> frozenset[str]:
        """The names of the decisions that answer a client themselves and do not block."""
        return self._of_kind(Kind.CANNED)

    def _of_kind(self, kind: Kind) -> frozenset[str]:
        return frozenset(rule.name for rule in self.routing.decisions if kind_of(rule) is kind)

    def auto_names(self) -> frozenset[str]:
        """The model names that are routed.

        Every other name is taken at its word. Compared exactly.
        """
        return self._auto_names

    def known_models(self) -> frozenset[str]:
        """Every name that a client may ask for.

        Cards and their adapters, or, when no card is declared, the providers' models.
        """
        return self._known_models

    def card_of(self, model_or_lora: str) -> ModelCard | None:
        """The card of that name, else the card that has an adapter of that name."""
        return self._cards.get(model_or_lora)

    def provider_of(self, model_or_lora: str) -> ProviderModel | None:
        """The provider entry of a model; an adapter's is that of its base card (section 1.4)."""
        own = self._providers.get(model_or_lora)
        if own is not None:
            return own
        card = self._adapters.get(model_or_lora)
        return None if card is None else self._providers.get(card.name)

    def reasoning_family_of(self, model_or_lora: str) -> tuple[str, ReasoningFamily] | None:
        """The family's name and definition: the model's own, else its base card's; else None."""
        candidates = [self._providers.get(model_or_lora)]
        card = self._adapters.get(model_or_lora)
        if card is not None:
            candidates.append(self._providers.get(card.name))
        for provider in candidates:
            if provider is not None and provider.reasoning_family:
                name = provider.reasoning_family
                family = self.providers.defaults.reasoning_families.get(name)
                return None if family is None else (name, family)
        return None

    def __repr__(self) -> str:
        routing = self.routing
        return (
            f"<Document {self.version} decisions={len(routing.decisions)} "
            f"models={len(self._known_models)} default={self.default_model or '-'}>"
        )

    @cached_property
    def _auto_names(self) -> frozenset[str]:
        router = self.global_.router
        if router.auto_model_names is not None:
            names: tuple[str, ...] = router.auto_model_names
        else:
            names = (*DEFAULT_AUTO_NAMES[:2], router.auto_model_name or DEFAULT_AUTO_NAMES[2])
        return frozenset(name.strip() for name in names) - {""}

    @cached_property
    def _known_models(self) -> frozenset[str]:
        return frozenset(self._cards) or frozenset(self._providers)

    @cached_property
    def _providers(self) -> dict[str, ProviderModel]:
        return {model.name: model for model in self.providers.models}

    @cached_property
    def _adapters(self) -> dict[str, ModelCard]:
        found: dict[str, ModelCard] = {}
        for card in self.routing.model_cards:
            for lora in card.loras:
                found.setdefault(lora.name, card)
        return found

    @cached_property
    def _cards(self) -> dict[str, ModelCard]:
        return self._adapters | {card.name: card for card in self.routing.model_cards}
