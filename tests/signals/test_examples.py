from typing import Any

import pytest

from srd.signals.examples import (
    BACKGROUND,
    MARGIN,
    ExampleCategory,
    ExampleContest,
    confidence_of,
)
from srd.signals.prototypes import PrototypeOptions


def category(topics: Any, name: str, *texts: str, background: tuple[str, ...]) -> ExampleCategory:
    return ExampleCategory.of(
        name, texts, topics.embed(texts), topics.embed(background), PrototypeOptions()
    )


def test_the_margin_is_over_the_three_nearest_background_prompts(topics: Any) -> None:
    cooking = category(topics, "cooking", "cook", background=("law", "law code", "hard", "easy"))
    # to "cook law": the category .71; law .71, law code .5, hard 0
    assert cooking.margin(topics.vector("cook law")) == pytest.approx(
        0.5**0.5 - (0.5**0.5 + 0.5) / 3
    )


def test_background_that_resembles_the_category_is_not_held_against_it(topics: Any) -> None:
    cooking = category(topics, "cooking", "cook", background=("cook", "cook code", "law"))
    assert cooking.margin(topics.vector("cook")) == pytest.approx(1.0)


def test_without_any_background_the_score_counts(topics: Any) -> None:
    cooking = category(topics, "cooking", "cook", background=())
    assert cooking.margin(topics.vector("cook law")) == pytest.approx(0.5**0.5)


def test_vectors_of_another_size_cannot_be_compared(topics: Any) -> None:
    cooking = category(topics, "cooking", "cook", background=("law",))
    assert cooking.margin([1.0]) is None
    assert ExampleContest((cooking,)).margins([1.0]) == {}


@pytest.mark.parametrize(
    ("margins", "winner"),
    [
        ({"a": MARGIN, "b": MARGIN - 0.01}, "a"),
        ({"a": MARGIN - 0.01}, None),
        ({"b": 0.3, "a": 0.3}, "a"),
        ({}, None),
    ],
)
def test_the_largest_margin_wins_if_it_is_enough(
    margins: dict[str, float], winner: str | None
) -> None:
    assert ExampleContest(()).winner(margins) == winner


def test_confidence_grows_from_a_half_at_the_margin() -> None:
    assert confidence_of(MARGIN) == 0.5
    assert 0.9 < confidence_of(0.3) < 1.0
    assert confidence_of(-1.0) < 0.01


def test_the_background_is_varied_and_unrepeated() -> None:
    assert len(set(BACKGROUND)) == len(BACKGROUND) >= 40
