"""`routing.signals`: what is asked of a prompt, one list of rules per signal type.

Why this file exists: one module per part of upstream's v0.3 document. How a rule
matches lives in `srd.signals`; which types srd evaluates lives in `srd.config.features`.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from srd.config.base import Fraction, Name, NotNegative, Part, Positive, Scope, TokenCount, Word
from srd.config.rules import Predicate, RuleNode

__all__ = [
    "DOMAIN_LABELS",
    "SIGNAL_KEYS",
    "Candidates",
    "ClassifierRule",
    "ComplexityRule",
    "ContextRule",
    "ConversationFeature",
    "ConversationRule",
    "ConversationSource",
    "DomainRule",
    "EmbeddingRule",
    "EventRule",
    "FactCheckRule",
    "JailbreakRule",
    "KbRule",
    "KbTarget",
    "KeywordRule",
    "LanguageRule",
    "MetadataPredicate",
    "MetadataRule",
    "ModalityRule",
    "ModelScore",
    "PiiRule",
    "PreferenceRule",
    "ReaskRule",
    "RoleBinding",
    "Rule",
    "Signals",
    "StructureFeature",
    "StructureRule",
    "StructureSource",
    "Subject",
    "UserFeedbackRule",
]

#: The labels that a domain classifier knows (as upstream).
DOMAIN_LABELS: tuple[str, ...] = (
    "biology",
    "business",
    "chemistry",
    "computer science",
    "economics",
    "engineering",
    "health",
    "history",
    "law",
    "math",
    "other",
    "philosophy",
    "physics",
    "psychology",
)


class Rule(Part, frozen=True, kw_only=True):
    """What every rule has.

    `scope` is ours: None means the default of the signal type (`srd.config.summary.default_scope`).
    """

    name: Name
    description: str = ""
    scope: Scope | None = None


class KeywordRule(Rule, frozen=True, kw_only=True):
    """Words or patterns. No `method` means literals with word boundaries.

    `normalize: nfkc` (ours) reads the text as it looks: after NFKC, without invisible characters,
    and once more with Cyrillic and Greek look-alikes of Latin letters folded.
    """

    operator: Literal["AND", "OR", "NOR"]
    keywords: tuple[Word, ...] = ()
    case_sensitive: bool = False
    method: Literal["", "regex", "bm25", "ngram"] = ""
    fuzzy_match: bool = False
    fuzzy_threshold: NotNegative = 2
    bm25_threshold: float = 0.1
    ngram_threshold: Fraction = 0.4
    ngram_arity: Positive = 3
    normalize: Literal["", "nfkc"] = ""


class ModelScore(Part, frozen=True, kw_only=True):
    """Upstream's legacy per-domain model score; read, never used."""

    model: Name
    score: float = 0.0
    use_reasoning: bool = False


class DomainRule(Rule, frozen=True, kw_only=True):
    """A subject.

    `mmlu_categories` maps classifier labels to this name; `examples` (ours) with `description` make
    a category of its own, matched by embedding.
    """

    mmlu_categories: tuple[str, ...] = ()
    model_scores: tuple[ModelScore, ...] = ()
    examples: tuple[Word, ...] = ()


class EmbeddingRule(Rule, frozen=True, kw_only=True):
    """Similar to one of the candidates."""

    threshold: float = 0.0
    candidates: tuple[Word, ...] = ()
    aggregation_method: Literal["", "mean", "max", "any"] = ""
    query_modality: Literal["", "text", "image", "audio"] = ""


class Candidates(Part, frozen=True, kw_only=True):
    """Prototypes of one side of a complexity rule."""

    candidates: tuple[Word, ...] = ()
    image_candidates: tuple[str, ...] = ()


class ComplexityRule(Rule, frozen=True, kw_only=True):
    """Hard, easy or medium; a leaf names `rule:level`. `composer` must hold for it to count."""

    threshold: float = 0.0
    hard: Candidates = msgspec.field(default_factory=Candidates)
    easy: Candidates = msgspec.field(default_factory=Candidates)
    composer: RuleNode | None = None


class LanguageRule(Rule, frozen=True, kw_only=True):
    """`name` is the ISO 639-1 code to match. Threshold 0 means upstream's built-in 0.3."""

    threshold: Fraction = 0.0


class ContextRule(Rule, frozen=True, kw_only=True):
    """An estimate of tokens, both bounds included; `max_tokens` None means no upper bound."""

    min_tokens: TokenCount = 0
    max_tokens: TokenCount | None = None


class StructureSource(Part, frozen=True, kw_only=True):
    """What is counted in the raw text."""

    type: Literal["regex", "keyword_set", "sequence", "text_bytes"]
    pattern: str = ""
    keywords: tuple[Word, ...] = ()
    case_sensitive: bool = False
    sequences: tuple[tuple[Word, ...], ...] = ()


class StructureFeature(Part, frozen=True, kw_only=True):
    """How it is counted."""

    type: Literal["exists", "count", "density", "sequence"]
    source: StructureSource


class StructureRule(Rule, frozen=True, kw_only=True):
    """The shape of a text. No predicate means more than 0."""

    feature: StructureFeature
    predicate: Predicate | None = None


class ConversationSource(Part, frozen=True, kw_only=True):
    """What is counted in the message array."""

    type: Literal[
        "message",
        "tool_definition",
        "assistant_tool_call",
        "assistant_tool_cycle",
        "active_tool_loop",
        "image_content",
    ]
    role: str = ""


class ConversationFeature(Part, frozen=True, kw_only=True):
    """How it is counted."""

    type: Literal["exists", "count"]
    source: ConversationSource


class ConversationRule(Rule, frozen=True, kw_only=True):
    """The shape of a conversation."""

    feature: ConversationFeature
    predicate: Predicate | None = None


class EventRule(Rule, frozen=True, kw_only=True):
    """Words of incidents and operations."""

    event_types: tuple[Word, ...] = ()
    severities: tuple[Literal["critical", "high", "medium", "low"], ...] = ()
    action_codes: tuple[Word, ...] = ()
    temporal: bool = False


class MetadataPredicate(Part, frozen=True, kw_only=True):
    """Exactly one of these."""

    equals: Word | None = None
    in_: tuple[Word, ...] | None = msgspec.field(name="in", default=None)
    exists: bool | None = None


class MetadataRule(Rule, frozen=True, kw_only=True):
    """A member of the request's `metadata` object."""

    key: Name
    predicate: MetadataPredicate


class JailbreakRule(Rule, frozen=True, kw_only=True):
    """Attacks on the model's rules. `threshold` None means the guard's own."""

    method: Literal["", "classifier", "contrastive"] = ""
    threshold: Fraction | None = None
    include_history: bool = False
    jailbreak_patterns: tuple[Word, ...] = ()
    benign_patterns: tuple[Word, ...] = ()


class PiiRule(Rule, frozen=True, kw_only=True):
    """Personal data of any type that is not allowed. `threshold` None means the model's own."""

    threshold: Fraction | None = None
    pii_types_allowed: tuple[str, ...] = ()
    include_history: bool = False


class FactCheckRule(Rule, frozen=True, kw_only=True):
    """Whether an answer needs checking."""

    name: Literal["needs_fact_check", "no_fact_check_needed"]


class UserFeedbackRule(Rule, frozen=True, kw_only=True):
    """What the user thinks of the previous answer."""

    name: Literal["satisfied", "need_clarification", "wrong_answer", "want_different"]


class ReaskRule(Rule, frozen=True, kw_only=True):
    """The user asks the same again."""

    threshold: Fraction = 0.8
    lookback_turns: Positive = 1


class PreferenceRule(Rule, frozen=True, kw_only=True):
    """A wish about the manner of the answer."""

    examples: tuple[Word, ...] = ()
    threshold: Fraction | None = None


class ModalityRule(Rule, frozen=True, kw_only=True):
    """Text, image, or both."""

    name: Literal["AR", "DIFFUSION", "BOTH"]


class Subject(Part, frozen=True, kw_only=True):
    """A user or a group."""

    kind: Literal["User", "Group"]
    name: Name


class RoleBinding(Rule, frozen=True, kw_only=True):
    """Who has a role; an `authz` leaf names the role."""

    role: Name
    subjects: tuple[Subject, ...] = ()


class KbTarget(Part, frozen=True, kw_only=True):
    """A label or a group of a knowledge base."""

    kind: Literal["label", "group"]
    value: Name


class KbRule(Rule, frozen=True, kw_only=True):
    """Nearest exemplars of a knowledge base."""

    kb: Name
    target: KbTarget | None = None
    match: Literal["", "best", "threshold"] = ""


class ClassifierRule(Rule, frozen=True, kw_only=True):
    """A text classifier of the operator's own."""

    type: Literal["local", "llm"]
    model: str = ""
    model_path: str = ""
    labels: tuple[Word, ...] = ()
    instructions: str = ""
    use_cpu: bool = True


#: Leaf type -> key of `routing.signals` that declares its rules. `projection` leaves refer to
#: `routing.projections` instead.
SIGNAL_KEYS: Mapping[str, str] = {
    "keyword": "keywords",
    "domain": "domains",
    "embedding": "embeddings",
    "complexity": "complexity",
    "language": "language",
    "context": "context",
    "structure": "structure",
    "conversation": "conversation",
    "event": "events",
    "metadata": "metadata",
    "jailbreak": "jailbreak",
    "pii": "pii",
    "fact_check": "fact_check",
    "user_feedback": "user_feedbacks",
    "reask": "reasks",
    "preference": "preferences",
    "modality": "modality",
    "authz": "role_bindings",
    "kb": "kb",
    "classifier": "classifiers",
}


class Signals(Part, frozen=True, kw_only=True):
    """Declared rules. After loading, `domains` holds the automatically declared ones too."""

    keywords: tuple[KeywordRule, ...] = ()
    domains: tuple[DomainRule, ...] = ()
    embeddings: tuple[EmbeddingRule, ...] = ()
    complexity: tuple[ComplexityRule, ...] = ()
    language: tuple[LanguageRule, ...] = ()
    context: tuple[ContextRule, ...] = ()
    structure: tuple[StructureRule, ...] = ()
    conversation: tuple[ConversationRule, ...] = ()
    events: tuple[EventRule, ...] = ()
    metadata: tuple[MetadataRule, ...] = ()
    jailbreak: tuple[JailbreakRule, ...] = ()
    pii: tuple[PiiRule, ...] = ()
    fact_check: tuple[FactCheckRule, ...] = ()
    user_feedbacks: tuple[UserFeedbackRule, ...] = ()
    reasks: tuple[ReaskRule, ...] = ()
    preferences: tuple[PreferenceRule, ...] = ()
    modality: tuple[ModalityRule, ...] = ()
    role_bindings: tuple[RoleBinding, ...] = ()
    kb: tuple[KbRule, ...] = ()
    classifiers: tuple[ClassifierRule, ...] = ()

    def of(self, leaf_type: str) -> tuple[Rule, ...]:
        """The rules declared for a leaf type; none for `projection`."""
        key = SIGNAL_KEYS.get(leaf_type)
        rules: tuple[Rule, ...] = getattr(self, key) if key is not None else ()
        return rules

    def rules(self) -> Iterator[tuple[str, Rule]]:
        """Every declared rule with its leaf type."""
        for leaf_type in SIGNAL_KEYS:
            for rule in self.of(leaf_type):
                yield leaf_type, rule
