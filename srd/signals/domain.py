"""`domain`: the subject of a prompt, by the domain head or by examples.

Why this file exists: a classifier's labels become the document's names here (`mmlu_categories`),
and here it is said how sure a label must be. It must not know how probabilities are made.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from srd.config.base import Name, Part, Word
from srd.config.problems import closest, quote
from srd.signals.base import UNKNOWN, Evidence, Reach, Reading, Truth
from srd.signals.entry import Making, Place, Rule, SignalType
from srd.signals.examples import BACKGROUND, ExampleCategory, ExampleContest, confidence_of
from srd.signals.readings import FALSE, is_blank, is_final, is_open, yes_or_no

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

Mode = Literal["top", "entropy"]

#: Normalized entropy under which a distribution is sure of its top label (as upstream).
SURE_ENTROPY = 0.4


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


class Category(NamedTuple):
    """The top label whatever the threshold, its probability, and its lead over the second."""

    label: str
    confidence: float
    margin: float


def top_category(probabilities: Mapping[str, float] | None) -> Category | None:
    """The most probable label, ties broken by name; None without probabilities."""
    if not probabilities:
        return None
    label, confidence = _top(probabilities)
    second = max((p for k, p in probabilities.items() if k != label), default=0.0)
    return Category(label, confidence, confidence - second)


def _top(probabilities: Mapping[str, float]) -> tuple[str, float]:
    highest = max(probabilities.values())
    return min((label for label, p in probabilities.items() if p == highest), default=""), highest


def _best(probabilities: Mapping[str, float], labels: frozenset[str]) -> float:
    """The greatest probability of `labels`; a classifier's labels are mostly lower case already."""
    if labels <= probabilities.keys():
        return max((probabilities[label] for label in labels), default=0.0)
    return max((p for k, p in probabilities.items() if k.lower() in labels), default=0.0)


def normalized_entropy(probabilities: Iterable[float]) -> float:
    """Shannon entropy over its maximum: 0 is certain, 1 is uniform."""
    values = list(probabilities)
    if len(values) < 2:
        return 0.0
    return -sum(p * math.log(p) for p in values if p > 0) / math.log(len(values))


@dataclass(frozen=True, slots=True)
class DomainPolicy:
    """Which labels of a distribution count as matched.

    `top` (the default, and what upstream's default model does): the top label when its probability
    reaches `threshold`, else nothing, or `fallback` where the document names one. `entropy`
    (upstream's rule for models that give full probabilities): the top label when the normalized
    entropy is under .4, else every label that reaches the threshold. With one label at a time, two
    domain decisions of equal priority never tie.

    Before the window is full, an answer needs a top probability of `early_confidence`.
    """

    threshold: float = 0.5
    early_confidence: float = 0.85
    fallback: str = ""
    mode: Mode = "top"

    def matched(
        self, probabilities: Mapping[str, float], top: tuple[str, float]
    ) -> dict[str, float]:
        """Lower-cased label -> probability, for labels that count; `top` is the greatest."""
        label, confidence = top
        if self.mode == "entropy":
            if normalized_entropy(probabilities.values()) < SURE_ENTROPY:
                return {label.lower(): confidence}
            return {k.lower(): p for k, p in probabilities.items() if p >= self.threshold}
        if confidence >= self.threshold:
            return {label.lower(): confidence}
        return {self.fallback.lower(): confidence} if self.fallback else {}


@dataclass(frozen=True, slots=True, repr=False)
class DomainSignal:
    """A declared domain that stands for one or more labels of the classifier."""

    name: str
    reach: Reach
    labels: frozenset[str]  # lower case
    policy: DomainPolicy
    type: str = "domain"
    heads: frozenset[str] = frozenset({"domain"})

    def read(self, evidence: Evidence) -> Reading:
        """`confidence` is the matched label's probability, `score` the best among our labels."""
        if not is_open(self.reach, evidence):
            return UNKNOWN
        if is_blank(self.reach, evidence):
            return FALSE
        scores = evidence.scores
        if scores is None or scores.top is None or not scores.domain:
            return UNKNOWN
        is_sure = scores.top[1] >= self.policy.early_confidence
        if not is_sure and not is_final(self.reach, evidence):
            return UNKNOWN
        ours = _best(scores.domain, self.labels)
        matched = self.policy.matched(scores.domain, scores.top)
        mine = [(p, label) for label, p in matched.items() if label in self.labels]
        if not mine:
            return Reading(Truth.FALSE, 1.0, ours)
        confidence, label = max(mine)
        return Reading(Truth.TRUE, confidence, ours, label)

    def __repr__(self) -> str:
        return f"<domain:{self.name} = {'|'.join(sorted(self.labels)) or 'no label'}>"


@dataclass(frozen=True, slots=True, repr=False)
class ExampleDomainSignal:
    """A category without training: nearest to this rule's examples and description.

    It competes with other categories by example, not with the classifier's labels: a prompt may
    match `other` and `cooking`, and the decisions' priorities say which counts. Similarity is no
    probability, so it answers only when the window is full.
    """

    name: str
    reach: Reach
    contest: ExampleContest
    type: str = "domain"
    heads: frozenset[str] = frozenset({"embedding"})

    def read(self, evidence: Evidence) -> Reading:
        """`score` is the margin over the background."""
        if not is_final(self.reach, evidence):
            return UNKNOWN
        if is_blank(self.reach, evidence):
            return FALSE
        embedding = evidence.scores.embedding if evidence.scores else None
        margins = self.contest.margins(embedding) if embedding is not None else {}
        margin = margins.get(self.name)
        if margin is None:
            return UNKNOWN
        matched = self.contest.winner(margins) == self.name
        return yes_or_no(matched, confidence_of(margin), margin, self.name)

    def __repr__(self) -> str:
        return f"<domain:{self.name} in {self.contest!r}>"


def labels_of(rule: DomainRule, rules: Sequence[DomainRule]) -> frozenset[str]:
    """The classifier's labels, lower case, that the rule stands for.

    Its `mmlu_categories`, and its own name unless another rule claims that label (as upstream).
    """
    own = {label.lower() for label in rule.mmlu_categories}
    claimed = {label.lower() for other in rules for label in other.mmlu_categories}
    if rule.name.lower() not in claimed:
        own.add(rule.name.lower())
    return frozenset(own)


def _heads(rule: DomainRule) -> frozenset[str]:
    return frozenset({"embedding" if rule.examples else "domain"})


def _contest(making: Making[DomainRule]) -> ExampleContest:
    """Every declared domain with examples, used by a decision or not: they compete."""
    shop = making.shop
    background = shop.embed(BACKGROUND)
    categories = []
    for rule in making.rules:
        if rule.examples and background is not None:
            described = (rule.description,) if rule.description else ()
            texts = tuple(dict.fromkeys((*rule.examples, *described)))
            vectors = shop.embed(texts) or ()
            categories.append(
                ExampleCategory.of(rule.name, texts, vectors, background, shop.options)
            )
    return ExampleContest(tuple(categories))


def _compile(rule: DomainRule, making: Making[DomainRule]) -> DomainSignal | ExampleDomainSignal:
    shop = making.shop
    if rule.examples:
        contest = shop.once("domain", lambda: _contest(making))
        return ExampleDomainSignal(rule.name, making.reach, contest)
    module = shop.modules.classifier.domain
    policy = DomainPolicy(module.threshold, shop.early, module.fallback_category)
    return DomainSignal(rule.name, making.reach, labels_of(rule, making.rules), policy)


def _check(rule: DomainRule, place: Place) -> None:
    for number, label in enumerate(rule.mmlu_categories):
        if label and label.casefold() not in DOMAIN_LABELS:
            place.problems.error(
                place.at("mmlu_categories", number),
                f"{quote(label)} is not a label of the domain classifier",
                closest(label, DOMAIN_LABELS) or "known: " + ", ".join(DOMAIN_LABELS),
            )
    if not rule.name or rule.mmlu_categories or rule.examples:
        return
    if rule.name.casefold() not in DOMAIN_LABELS:
        note = "" if place.used else "; no decision uses it"
        place.problems.warn(
            place.at("name"),
            f"domain {quote(rule.name)} never matches: it is no label of the classifier{note}",
            "give it mmlu_categories, or examples to match by similarity",
        )


def _missing(rule: DomainRule) -> Iterator[tuple[str, str]]:
    if rule.model_scores:
        yield "model_scores of domains", "model_scores"


ENTRY = SignalType(
    name="domain",
    section="domains",
    rule=DomainRule,
    check=_check,
    missing=_missing,
    heads=_heads,
    module="classifier.domain",
    compile=_compile,
    header="domains",
)
