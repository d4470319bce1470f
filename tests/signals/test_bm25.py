import math

import pytest

from srd.signals.bm25 import Bm25Keywords


def test_a_single_word_keyword_scores_its_idf() -> None:
    two = Bm25Keywords.of(["code", "loop"], threshold=0.1)
    # N = 2, n = 1: idf = ln(1 + 1.5/1.5); one term of an average document weighs 1.
    assert two.scores("some code", final=True) == {0: pytest.approx(math.log(2))}


def test_each_occurrence_counts() -> None:
    two = Bm25Keywords.of(["code", "loop"], threshold=0.1)
    assert two.scores("code code code", final=True)[0] == pytest.approx(3 * math.log(2))


def test_length_and_frequency_weigh_as_in_okapi() -> None:
    rule = Bm25Keywords.of(["credit card", "card"], threshold=0.1)
    idf = math.log(1 + 0.5 / 2.5)  # "card" is in both
    long = idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 1.5))
    short = idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 1 / 1.5))
    scores = rule.scores("my card", final=True)
    assert scores == {0: pytest.approx(long), 1: pytest.approx(short)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("please debug these functions", {1, 2}),
        ("Debugging!", {2}),
        ("nothing of the kind", set()),
        ("", set()),
    ],
)
def test_inflections_hit(text: str, found: set[int]) -> None:
    rule = Bm25Keywords.of(["code", "function", "debug"], threshold=0.1)
    assert rule.found(text, final=True) == found


def test_a_higher_threshold_wants_more_occurrences() -> None:
    rule = Bm25Keywords.of(["code", "loop"], threshold=1.0)
    assert rule.found("code", final=True) == set()
    assert rule.found("code and code", final=True) == {0}


def test_keywords_of_stop_words_never_score() -> None:
    assert Bm25Keywords.of(["the", "of"], threshold=0.0).scores("the of", final=True) == {}


def test_no_keywords_find_nothing() -> None:
    assert Bm25Keywords.of([], threshold=0.1).found("code", final=True) == set()


def test_more_text_never_lowers_a_score() -> None:
    rule = Bm25Keywords.of(["code", "credit card"], threshold=0.1)
    text = "Use the credit card code, then code again with the cards"
    before = 0.0
    for end in range(len(text)):
        now = sum(rule.scores(text[:end], final=False).values())
        assert now >= before
        before = now


@pytest.mark.parametrize("text", ["a" * 1_000_000, "w " * 400_000, "\ufdfa" * 100_000, "\ud800"])
def test_hostile_texts_end(text: str) -> None:
    assert Bm25Keywords.of(["code"], threshold=0.1).found(text, final=True) == set()
