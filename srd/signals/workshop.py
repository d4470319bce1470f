"""What the rules of one document share while they are compiled.

Why this file exists: embeddings cost a forward each and are made once, however many rules or leaves
want them; so are contests among all rules of a type. It must not know any signal type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from srd.signals.prototypes import PrototypeBank, PrototypeOptions, build_bank, empty_bank

if TYPE_CHECKING:
    from srd.classify.api import Classifier
    from srd.config.catalog import EmbeddingConfig, Modules
    from srd.config.document import Document

T = TypeVar("T")


class Workshop:
    """One document on its way to its signals. Without a classifier nothing is embedded."""

    def __init__(self, document: Document, classifier: Classifier | None) -> None:
        self.document = document
        self._classifier = classifier
        self._made: dict[str, Any] = {}
        self._banks: dict[tuple[tuple[str, ...], str], PrototypeBank] = {}

    def __repr__(self) -> str:
        return f"<Workshop of {self.document!r} with {len(self._banks)} banks>"

    @property
    def early(self) -> float:
        """The confidence that an answer needs before its window is full."""
        return self.document.global_.router.streamed_body.early_decision.confidence

    @property
    def modules(self) -> Modules:
        """The document's classifiers by task."""
        return self.document.global_.model_catalog.modules

    @property
    def embedding(self) -> EmbeddingConfig:
        """The document's policy of comparing embeddings."""
        return self.document.global_.model_catalog.embeddings.semantic.embedding_config

    @cached_property
    def options(self) -> PrototypeOptions:
        """How examples are condensed."""
        scoring = self.embedding.prototype_scoring
        return PrototypeOptions(
            enabled=scoring.enabled,
            cluster_similarity=scoring.cluster_similarity_threshold,
            max_prototypes=scoring.max_prototypes,
            best_weight=scoring.best_weight,
            top_m=scoring.top_m,
        )

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` makes, made at the first call with this key."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made

    def embed(self, texts: Sequence[str]) -> list[Sequence[float]] | None:
        """Their vectors, None without a classifier.

        :raises ClassifierUnavailable: if it cannot embed them.
        """
        return None if self._classifier is None else self._classifier.embed(texts)

    def bank(self, texts: Sequence[str], aggregation: str = "") -> PrototypeBank:
        """Prototypes of the texts, embedded once however many rules share them."""
        unique = tuple(dict.fromkeys(texts))
        key = (unique, aggregation)
        if key in self._banks:
            return self._banks[key]
        vectors = self.embed(unique) if unique else None
        if vectors is None:
            return empty_bank()
        self._banks[key] = build_bank(unique, vectors, self.options, aggregation=aggregation)
        return self._banks[key]
