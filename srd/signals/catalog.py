"""All signals of one document, compiled.

Why this file exists: it is the one place that knows every signal type, which rules a document's
decisions refer to, and which classifier heads they need. It must not know how decisions are made of
readings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

from srd.classify.api import Classifier
from srd.config import Document
from srd.config.catalog import EmbeddingConfig
from srd.config.decisions import Kind, kind_of
from srd.config.rules import Leaf, RuleNode, leaf_key, leaves
from srd.config.scope import default_scope
from srd.config.signals import ComplexityRule, DomainRule, EmbeddingRule, JailbreakRule, Rule
from srd.signals.authz import GROUPS_HEADER, USER_HEADER, compile_role
from srd.signals.base import Evidence, Reading, Scope, Signal
from srd.signals.complexity import LEVELS, ComplexitySignal
from srd.signals.composer import Composer
from srd.signals.context import ContextSignal
from srd.signals.conversation import compile_conversation
from srd.signals.domain import (
    Category,
    DomainPolicy,
    DomainSignal,
    ExampleDomainSignal,
    labels_of,
    top_category,
)
from srd.signals.embedding import EmbeddingContest, EmbeddingRival, EmbeddingSignal
from srd.signals.event import compile_event
from srd.signals.examples import BACKGROUND, ExampleCategory, ExampleContest
from srd.signals.jailbreak import JailbreakSignal
from srd.signals.keyword import compile_keyword
from srd.signals.language import LanguageSignal, prepare
from srd.signals.metadata import compile_metadata
from srd.signals.pii import PiiSignal
from srd.signals.prototypes import EMPTY, PrototypeBank, PrototypeOptions, build_bank
from srd.signals.structure import compile_structure
from srd.signals.unsupported import UnsupportedSignal

RuleT = TypeVar("RuleT", bound=Rule)

#: Contrastive jailbreak rules that name no threshold (as upstream).
_CONTRASTIVE_THRESHOLD = 0.1


@dataclass(frozen=True, slots=True, repr=False)
class SignalSet:
    """The signals that some decision of the document refers to, in document order.

    `keys` holds the leaf key of each, with its mark where a blocking decision reads it.
    """

    signals: tuple[Signal, ...]
    keys: tuple[str, ...]

    def heads(self, scope: Scope) -> frozenset[str]:
        """The classifier heads that signals of this scope need for the evaluation text."""
        return frozenset().union(*(s.heads for s in self.signals if s.scope == scope))

    @property
    def history_heads(self) -> frozenset[str]:
        """The heads wanted for `readings.history_text` too, once the body has ended; mostly none.

        Their answer goes into `Evidence.history_scores`.
        """
        return frozenset().union(
            *(s.heads for s in self.signals if getattr(s, "include_history", False))
        )

    def read(self, evidence: Evidence) -> Mapping[str, Reading]:
        """Every signal's reading by its key."""
        return {
            key: signal.read(evidence) for key, signal in zip(self.keys, self.signals, strict=True)
        }

    def category(self, evidence: Evidence) -> Category | None:
        """(label, confidence, margin) of the top domain label whatever the threshold.

        None where the domain head has not answered.
        """
        return top_category(evidence.scores.domain if evidence.scores else None)

    def __repr__(self) -> str:
        return f"<SignalSet {', '.join(f'{s.type}:{s.name}' for s in self.signals) or 'empty'}>"


def compile_signals(document: Document, *, classifier: Classifier | None) -> SignalSet:
    """The signals that the decisions' leaves name, each once for each use.

    Prototypes are embedded now, by `classifier`; without one, signals that need it stay UNKNOWN.

    :raises RuleError: if a pattern cannot be compiled.
    :raises ClassifierUnavailable: if the classifier cannot embed the examples.
    """
    compiler = _Compiler(document, classifier)
    wanted: dict[str, Signal] = {}
    for decision in document.routing.decisions:
        blocking = kind_of(decision) is Kind.BLOCK
        for leaf in leaves(decision.rules):
            wanted[leaf_key(leaf, blocking)] = compiler.signal(leaf, blocking)
    return SignalSet(tuple(wanted.values()), tuple(wanted))


class _Compiler:
    """One document on its way to a SignalSet; embeds each rule's examples once."""

    def __init__(self, document: Document, classifier: Classifier | None) -> None:
        self._document = document
        self._declared = document.routing.signals
        self._catalog = document.global_.model_catalog
        self._early = document.global_.router.streamed_body.early_decision.confidence
        self._classifier = classifier
        self._compiled: dict[str, Signal] = {}
        self._blocking = False  # the use that is being compiled
        self._banks: dict[tuple[tuple[str, ...], str], PrototypeBank] = {}
        self._by_type: Mapping[str, Callable[[str], Signal | None]] = MappingProxyType(
            {
                "keyword": self._simple("keyword", compile_keyword),
                "structure": self._simple("structure", compile_structure),
                "conversation": self._simple("conversation", compile_conversation),
                "metadata": self._simple("metadata", compile_metadata),
                "event": self._simple("event", compile_event),
                "domain": self._domain,
                "embedding": self._embedding,
                "complexity": self._complexity,
                "language": self._language,
                "context": self._context,
                "jailbreak": self._jailbreak,
                "pii": self._pii,
                "authz": self._authz,
            }
        )

    def signal(self, leaf: Leaf, blocking: bool = False) -> Signal:
        """The signal of a leaf in one use."""
        self._blocking = blocking
        return self._signal(leaf)

    def _signals_of(self, tree: RuleNode) -> dict[str, Signal]:
        """The signals of a composer's leaves by "type:name"."""
        return {leaf_key(leaf): self._signal(leaf) for leaf in leaves(tree)}

    def _signal(self, leaf: Leaf) -> Signal:
        key = leaf_key(leaf, self._blocking)
        if key not in self._compiled:
            # A composer that leads back to its own rule finds this instead of recursing.
            self._compiled[key] = UnsupportedSignal(leaf.type, leaf.name)
            build = self._by_type.get(leaf.type)
            if signal := build(leaf.name) if build else None:
                self._compiled[key] = signal
        return self._compiled[key]

    def _simple(
        self, leaf_type: str, build: Callable[[RuleT, Scope], Signal]
    ) -> Callable[[str], Signal | None]:
        def compiled(name: str) -> Signal | None:
            rule = self._rule(leaf_type, name)
            return build(rule, self._scope(leaf_type, rule)) if rule else None

        return compiled

    def _rule(self, leaf_type: str, name: str) -> RuleT | None:
        rules: Iterable[RuleT] = self._declared.of(leaf_type)  # type: ignore[assignment]
        return next((rule for rule in rules if rule.name == name), None)

    def _scope(self, leaf_type: str, rule: Rule | None) -> Scope:
        if self._blocking:
            return "full"
        return (rule.scope if rule else None) or default_scope(leaf_type)

    def _domain(self, name: str) -> Signal | None:
        rules = self._declared.domains
        rule = next((r for r in rules if r.name == name), None) or DomainRule(name=name)
        scope = self._scope("domain", rule)
        if rule.examples:
            return ExampleDomainSignal(name, scope, self._examples)
        if "domain" in self._catalog.modules.switched_off:
            return None
        module = self._catalog.modules.classifier.domain
        policy = DomainPolicy(module.threshold, self._early, module.fallback_category)
        return DomainSignal(name, scope, labels_of(rule, rules), policy)

    @cached_property
    def _examples(self) -> ExampleContest:
        """Every declared domain with examples, used by a decision or not: they compete."""
        if self._classifier is None:
            return ExampleContest(())
        background = self._classifier.embed(BACKGROUND)
        categories = []
        for rule in self._declared.domains:
            if rule.examples:
                described = (rule.description,) if rule.description else ()
                texts = tuple(dict.fromkeys((*rule.examples, *described)))
                vectors = self._classifier.embed(texts)
                categories.append(
                    ExampleCategory.of(rule.name, texts, vectors, background, self._options)
                )
        return ExampleContest(tuple(categories))

    def _embedding(self, name: str) -> Signal | None:
        rule = next((r for r in self._declared.embeddings if r.name == name), None)
        if rule is None or not _reads_text(rule):
            return None
        return EmbeddingSignal(name, self._scope("embedding", rule), self._contest)

    @cached_property
    def _contest(self) -> EmbeddingContest:
        config = self._embedding_config
        rivals = tuple(
            EmbeddingRival(r.name, r.threshold, self._bank(r.candidates, r.aggregation_method))
            for r in self._declared.embeddings
            if _reads_text(r)
        )
        return EmbeddingContest(
            rivals, config.top_k, config.min_score_threshold, config.enable_soft_matching
        )

    def _complexity(self, name: str) -> Signal | None:
        rule_name, _, wanted = name.rpartition(":")
        rule = next((r for r in self._declared.complexity if r.name == rule_name), None)
        level = next((level for level in LEVELS if level == wanted), None)
        if rule is None or level is None:
            return None
        return ComplexitySignal(
            rule.name,
            level,
            self._scope("complexity", rule),
            rule.threshold,
            self._bank(rule.hard.candidates),
            self._bank(rule.easy.candidates),
            self._composer(rule),
        )

    def _composer(self, rule: ComplexityRule) -> Composer | None:
        tree = rule.composer
        return None if tree is None else Composer(tree, MappingProxyType(self._signals_of(tree)))

    def _language(self, name: str) -> Signal | None:
        rule = next((r for r in self._declared.language if r.name == name), None)
        if rule is None:
            return None
        prepare()
        return LanguageSignal(name, self._scope("language", rule), rule.threshold, self._early)

    def _context(self, name: str) -> Signal | None:
        rule = next((r for r in self._declared.context if r.name == name), None)
        if rule is None:
            return None
        scope = self._scope("context", rule)
        return ContextSignal(name, scope, rule.min_tokens, rule.max_tokens)

    def _jailbreak(self, name: str) -> Signal | None:
        rule = next((r for r in self._declared.jailbreak if r.name == name), None)
        if rule is None:
            return None
        is_contrastive = rule.method == "contrastive"
        if not is_contrastive and "jailbreak" in self._catalog.modules.switched_off:
            return None
        return JailbreakSignal(
            name,
            self._scope("jailbreak", rule),
            self._jailbreak_threshold(rule),
            self._early,
            rule.include_history,
            self._bank(rule.jailbreak_patterns) if is_contrastive else None,
            self._bank(rule.benign_patterns) if is_contrastive else None,
        )

    def _jailbreak_threshold(self, rule: JailbreakRule) -> float:
        if rule.threshold:
            return rule.threshold
        if rule.method == "contrastive":
            return _CONTRASTIVE_THRESHOLD
        return self._catalog.modules.prompt_guard.threshold

    def _pii(self, name: str) -> Signal | None:
        rule = next((r for r in self._declared.pii if r.name == name), None)
        if rule is None or "pii" in self._catalog.modules.switched_off:
            return None
        return PiiSignal(
            name,
            self._scope("pii", rule),
            rule.threshold or self._catalog.modules.classifier.pii.threshold,
            frozenset(allowed.upper() for allowed in rule.pii_types_allowed),
            self._early,
            rule.include_history,
        )

    def _authz(self, role: str) -> Signal | None:
        bindings = [b for b in self._declared.role_bindings if b.role == role]
        if not bindings:
            return None
        authz = self._document.global_.services.authz
        identity = authz.identity if authz else None
        return compile_role(
            role,
            bindings,
            self._scope("authz", bindings[0]),
            user_header=identity.user_id_header if identity else USER_HEADER,
            groups_header=identity.user_groups_header if identity else GROUPS_HEADER,
        )

    @cached_property
    def _embedding_config(self) -> EmbeddingConfig:
        return self._catalog.embeddings.semantic.embedding_config

    @cached_property
    def _options(self) -> PrototypeOptions:
        scoring = self._embedding_config.prototype_scoring
        return PrototypeOptions(
            enabled=scoring.enabled,
            cluster_similarity=scoring.cluster_similarity_threshold,
            max_prototypes=scoring.max_prototypes,
            best_weight=scoring.best_weight,
            top_m=scoring.top_m,
        )

    def _bank(self, texts: Sequence[str], aggregation: str = "") -> PrototypeBank:
        """Prototypes of the texts, embedded once however many rules share them."""
        unique = tuple(dict.fromkeys(texts))
        if not unique or self._classifier is None:
            return EMPTY
        key = (unique, aggregation)
        if key not in self._banks:
            vectors = self._classifier.embed(unique)
            self._banks[key] = build_bank(unique, vectors, self._options, aggregation=aggregation)
        return self._banks[key]


def _reads_text(rule: EmbeddingRule) -> bool:
    """False for rules over images and audio, which srd cannot embed."""
    return rule.query_modality in ("", "text")
