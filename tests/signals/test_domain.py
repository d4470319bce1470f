from collections.abc import Callable, Mapping
from typing import Any

import pytest

from srd.classify.api import Scores
from srd.signals.base import Evidence, Reach, Truth
from srd.signals.domain import (
    Category,
    DomainPolicy,
    DomainRule,
    DomainSignal,
    ExampleDomainSignal,
    labels_of,
    normalized_entropy,
    top_category,
)
from srd.signals.examples import ExampleCategory, ExampleContest
from srd.signals.prototypes import PrototypeOptions

Moment = Callable[..., Evidence]

SURE = {"math": 0.9, "physics": 0.06, "other": 0.04}
LEANING = {"math": 0.6, "physics": 0.3, "other": 0.1}
TORN = {"math": 0.4, "physics": 0.35, "other": 0.25}


def domain(name: str, reach: Reach = Reach.WINDOW, **policy: Any) -> DomainSignal:
    return DomainSignal(name, reach, frozenset({name}), DomainPolicy(**policy))


def scored(probabilities: Mapping[str, float] | None) -> Scores:
    return Scores(domain=probabilities)


@pytest.mark.parametrize(
    ("name", "probabilities", "value", "confidence"),
    [
        ("math", SURE, Truth.TRUE, 0.9),
        ("physics", SURE, Truth.FALSE, 1.0),
        ("math", LEANING, Truth.TRUE, 0.6),
        ("math", TORN, Truth.FALSE, 1.0),  # nothing reaches .5
        ("other", TORN, Truth.FALSE, 1.0),  # and nothing falls back
    ],
)
def test_the_top_label_matches_when_it_reaches_the_threshold(
    whole: Moment,
    name: str,
    probabilities: Mapping[str, float],
    value: Truth,
    confidence: float,
) -> None:
    reading = domain(name).read(whole("text", scores=scored(probabilities)))
    assert (reading.value, reading.confidence) == (value, confidence)
    assert reading.score == probabilities[name]


def test_the_reading_names_the_label(whole: Moment) -> None:
    signal = DomainSignal("science", Reach.WINDOW, frozenset({"math", "physics"}), DomainPolicy())
    reading = signal.read(whole("text", scores=scored({"Physics": 0.8, "math": 0.2})))
    assert (reading.value, reading.detail) == (Truth.TRUE, "physics")


def test_the_threshold_is_included(whole: Moment) -> None:
    half = scored({"math": 0.5, "law": 0.5})
    assert domain("law").read(whole("t", scores=half)).value is Truth.TRUE  # ties go by name
    assert domain("math").read(whole("t", scores=half)).value is Truth.FALSE


def test_a_fallback_category_matches_below_the_threshold(whole: Moment) -> None:
    evidence = whole("text", scores=scored(TORN))
    assert domain("other", fallback="Other").read(evidence).value is Truth.TRUE
    assert domain("math", fallback="Other").read(evidence).value is Truth.FALSE


def test_in_entropy_mode_an_unsure_distribution_matches_every_label_over_the_threshold(
    whole: Moment,
) -> None:
    unsure = scored({"math": 0.4, "physics": 0.35, "law": 0.15, "other": 0.1})
    for name, value in [("math", Truth.TRUE), ("physics", Truth.TRUE), ("law", Truth.FALSE)]:
        signal = domain(name, mode="entropy", threshold=0.3)
        assert signal.read(whole("text", scores=unsure)).value is value


def test_in_entropy_mode_a_sure_distribution_matches_its_top_label_only(whole: Moment) -> None:
    sure = scored({"math": 0.95, "physics": 0.05})
    assert (
        domain("physics", mode="entropy", threshold=0.01).read(whole("text", scores=sure)).value
        is Truth.FALSE
    )
    assert (
        domain("math", mode="entropy", threshold=0.99).read(whole("text", scores=sure)).value
        is Truth.TRUE
    )


@pytest.mark.parametrize(("probabilities", "value"), [(SURE, Truth.TRUE), (LEANING, Truth.UNKNOWN)])
def test_before_the_window_is_full_only_a_confident_answer_counts(
    early: Moment, probabilities: Mapping[str, float], value: Truth
) -> None:
    assert domain("math").read(early("text", scores=scored(probabilities))).value is value


def test_a_confident_early_answer_is_a_no_for_other_domains(early: Moment) -> None:
    assert domain("law").read(early("text", scores=scored(SURE))).value is Truth.FALSE


@pytest.mark.parametrize("scores", [None, Scores(), Scores(domain={})])
def test_without_probabilities_nothing_is_known_even_at_the_end(
    whole: Moment, scores: Scores | None
) -> None:
    assert domain("math").read(whole("text", scores=scores)).value is Truth.UNKNOWN


def test_probabilities_that_are_no_numbers_match_nothing(whole: Moment) -> None:
    broken = scored({"math": float("nan"), "law": float("nan")})
    assert domain("math").read(whole("text", scores=broken)).value is Truth.FALSE


def test_without_text_there_is_no_domain(whole: Moment, early: Moment) -> None:
    assert domain("math").read(whole(" ")).value is Truth.FALSE
    assert domain("math").read(early(" ")).value is Truth.UNKNOWN


def test_beyond_a_window_it_waits(settled: Moment, whole: Moment) -> None:
    signal = domain("math", reach=Reach.TURNS)
    assert signal.read(settled("text", scores=scored(SURE))).value is Truth.UNKNOWN
    assert signal.read(whole("text", scores=scored(SURE))).value is Truth.TRUE


@pytest.mark.parametrize(
    ("probabilities", "category"),
    [
        (TORN, Category("math", 0.4, pytest.approx(0.05))),
        ({"law": 1.0}, Category("law", 1.0, 1.0)),
        ({"b": 0.5, "a": 0.5}, Category("a", 0.5, 0.0)),
        ({}, None),
        (None, None),
    ],
)
def test_the_category_is_the_top_label_whatever_the_threshold(
    probabilities: Mapping[str, float] | None, category: Category | None
) -> None:
    assert top_category(probabilities) == category


def test_entropy_is_0_for_certainty_and_1_for_ignorance() -> None:
    assert normalized_entropy([1.0, 0.0]) == 0.0
    assert normalized_entropy([0.25] * 4) == pytest.approx(1.0)
    assert normalized_entropy([1.0]) == 0.0


RULES = (
    DomainRule(name="science", mmlu_categories=("Physics", "chemistry")),
    DomainRule(name="Math"),
    DomainRule(name="physics"),
    DomainRule(name="pets"),
)


@pytest.mark.parametrize(
    ("index", "labels"),
    [(0, {"science", "physics", "chemistry"}), (1, {"math"}), (2, set()), (3, {"pets"})],
)
def test_labels_go_to_the_rules_that_claim_them_else_to_their_namesake(
    index: int, labels: set[str]
) -> None:
    assert labels_of(RULES[index], RULES) == labels


def example_domain(topics: Any, name: str = "cooking") -> ExampleDomainSignal:
    def category(name: str, *texts: str) -> ExampleCategory:
        background = topics.embed(["law", "hard", "easy"])
        return ExampleCategory.of(name, texts, topics.embed(texts), background, PrototypeOptions())

    contest = ExampleContest(
        (category("cooking", "cook", "cook cook code"), category("coding", "code"))
    )
    return ExampleDomainSignal(name, Reach.WINDOW, contest)


def test_a_category_by_example_needs_no_training(whole: Moment, topics: Any) -> None:
    signal = example_domain(topics)
    assert signal.heads == {"embedding"}
    near = signal.read(whole("cook", scores=topics.scores("cook")))
    far = signal.read(whole("law", scores=topics.scores("law")))
    assert (near.value, near.detail) == (Truth.TRUE, "cooking")
    assert near.confidence > 0.9
    assert far.value is Truth.FALSE


def test_of_categories_by_example_one_wins(whole: Moment, topics: Any) -> None:
    evidence = whole("cook cook code", scores=topics.scores("cook cook code"))
    assert example_domain(topics, "cooking").read(evidence).value is Truth.TRUE
    assert example_domain(topics, "coding").read(evidence).value is Truth.FALSE


def test_a_category_by_example_answers_only_once_the_window_is_full(
    early: Moment, settled: Moment, topics: Any
) -> None:
    signal, scores = example_domain(topics), topics.scores("cook")
    assert signal.read(early("cook", scores=scores)).value is Truth.UNKNOWN
    assert signal.read(settled("cook", scores=scores)).value is Truth.TRUE


def test_a_category_by_example_is_unknown_without_embeddings(whole: Moment, topics: Any) -> None:
    assert example_domain(topics).read(whole("cook")).value is Truth.UNKNOWN
    bare = ExampleDomainSignal("cooking", Reach.WINDOW, ExampleContest(()))
    assert bare.read(whole("cook", scores=topics.scores("cook"))).value is Truth.UNKNOWN
    assert bare.read(whole("")).value is Truth.FALSE
