"""`global.model_catalog`: the router's own models.

Why this file exists: one module per part of upstream's v0.3 document. Which file
is loaded for which task is the business of `srd.classify`.
"""

from typing import Literal

import msgspec

from srd.config.base import Fraction, NotNegative, Opaque, OpenPart, Part, Positive

__all__ = [
    "Classifier",
    "DomainModule",
    "EmbeddingConfig",
    "ModelCatalog",
    "Modules",
    "PiiModule",
    "PromptGuard",
    "PrototypeScoring",
    "SystemModels",
]


class DomainModule(OpenPart, frozen=True, kw_only=True):
    """The domain classifier. `threshold` is the least probability at which a label matches."""

    enabled: bool = True
    model_id: str = ""
    model_ref: str = ""
    threshold: Fraction = 0.5
    use_cpu: bool = True
    use_modernbert: bool = False
    use_mmbert_32k: bool = True
    category_mapping_path: str = ""
    fallback_category: str = ""


class PiiModule(OpenPart, frozen=True, kw_only=True):
    """The PII classifier."""

    enabled: bool = True
    model_id: str = ""
    model_ref: str = ""
    threshold: Fraction = 0.9
    use_cpu: bool = True
    use_mmbert_32k: bool = True
    pii_mapping_path: str = ""


class Toggle(OpenPart, frozen=True, kw_only=True):
    """A module that srd does not have; only whether it is on matters."""

    enabled: bool = False


class Classifier(Part, frozen=True, kw_only=True):
    """The text classifiers by role."""

    domain: DomainModule = msgspec.field(default_factory=DomainModule)
    pii: PiiModule = msgspec.field(default_factory=PiiModule)
    mcp: Toggle | None = None
    preference: Opaque | None = None


class PromptGuard(OpenPart, frozen=True, kw_only=True):
    """The jailbreak classifier.

    `on_error` says what becomes of a request where it did not answer: allow counts as no match,
    block refuses it; unwritten, blocking decisions refuse and others do not match.
    """

    enabled: bool = True
    model_id: str = ""
    model_ref: str = ""
    threshold: Fraction = 0.7
    use_cpu: bool = True
    jailbreak_mapping_path: str = ""
    positive_labels: tuple[str, ...] = ("jailbreak",)
    variant: str = ""
    protocol: str = ""
    on_error: Literal["", "allow", "block"] = ""


class Modules(Part, frozen=True, kw_only=True):
    """The models by task."""

    classifier: Classifier = msgspec.field(default_factory=Classifier)
    prompt_guard: PromptGuard = msgspec.field(default_factory=PromptGuard)
    prompt_compression: Toggle | None = None
    complexity: Opaque | None = None
    hallucination_mitigation: Toggle | None = None
    feedback_detector: Opaque | None = None
    modality_detector: Toggle | None = None


class PrototypeScoring(Part, frozen=True, kw_only=True):
    """How candidates are condensed into prototypes."""

    enabled: bool = True
    cluster_similarity_threshold: Fraction = 0.9
    max_prototypes: Positive = 8
    best_weight: Fraction = 0.75
    top_m: Positive = 2
    margin_threshold: float = 0.0


class EmbeddingConfig(OpenPart, frozen=True, kw_only=True):
    """How embeddings are matched."""

    backend: str = ""
    model_type: str = "mmbert"
    preload_embeddings: bool = True
    target_dimension: Positive = 768
    target_layer: Positive = 22
    top_k: NotNegative = 1
    min_score_threshold: Fraction = 0.5
    enable_soft_matching: bool = True
    prototype_scoring: PrototypeScoring = msgspec.field(default_factory=PrototypeScoring)


class SemanticEmbeddings(OpenPart, frozen=True, kw_only=True):
    """The embedding models."""

    mmbert_model_path: str = ""
    qwen3_model_path: str = ""
    gemma_model_path: str = ""
    multimodal_model_path: str = ""
    bert_model_path: str = ""
    use_cpu: bool = True
    endpoint: Opaque | None = None
    embedding_config: EmbeddingConfig = msgspec.field(default_factory=EmbeddingConfig)


class Embeddings(Part, frozen=True, kw_only=True):
    """Embedding models by kind."""

    semantic: SemanticEmbeddings = msgspec.field(default_factory=SemanticEmbeddings)


class SystemModels(Part, frozen=True, kw_only=True):
    """Model folders by task, relative to the working directory."""

    prompt_guard: str = ""
    domain_classifier: str = ""
    pii_classifier: str = ""
    fact_check_classifier: str = ""
    hallucination_detector: str = ""
    hallucination_explainer: str = ""
    feedback_detector: str = ""


class ModelCatalog(Part, frozen=True, kw_only=True):
    """The router's own models. Empty paths mean the model inside the package."""

    embeddings: Embeddings = msgspec.field(default_factory=Embeddings)
    system: SystemModels = msgspec.field(default_factory=SystemModels)
    external: tuple[Opaque, ...] = ()
    kbs: tuple[Opaque, ...] = ()
    modules: Modules = msgspec.field(default_factory=Modules)
