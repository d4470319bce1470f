import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.signals.ngram import NgramWords, grams, similarity


def rule(*keywords: str, threshold: float = 0.4, case_sensitive: bool = False) -> NgramWords:
    return NgramWords.of(keywords, threshold=threshold, arity=3, case_sensitive=case_sensitive)


def test_grams_are_padded_on_both_sides() -> None:
    assert grams("ab", 3) == {"  a": 1, " ab": 1, "ab ": 1, "b  ": 1}


def test_similarity_bends_the_share_upwards() -> None:
    # shared 4 of 12: 1 - (8/12)^2
    left, right = grams("tomato", 3), grams("tomacco", 3)
    shared = sum((left & right).values())
    every = left.total() + right.total() - shared
    assert similarity(left, right) == pytest.approx(1 - ((every - shared) / every) ** 2)
    assert similarity(left, left) == 1.0
    assert similarity(left, grams("xyz", 3)) == 0.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("this is urgnt", {0}),
        ("URGENT", {0}),
        ("handle it immediately", {1}),
        ("take your time", set()),
        ("an emergancy", {2}),
        ("", set()),
    ],
)
def test_typos_hit(text: str, found: set[int]) -> None:
    assert rule("urgent", "immediate", "emergency").found(text, final=True) == found


def test_case_counts_when_it_is_asked_to() -> None:
    assert rule("URGENT", case_sensitive=True).found("urgent", final=True) == set()


def test_a_phrase_is_compared_with_the_whole_of_a_short_text() -> None:
    assert rule("credit card", threshold=0.8).found("credit  card", final=True) == {0}
    assert rule("credit card", threshold=0.8).found("credit  card", final=False) == set()


def test_before_the_end_the_last_word_does_not_count() -> None:
    assert rule("urgent").found("very urgent", final=False) == set()
    assert rule("urgent").found("very urgent ", final=False) == {0}


def test_a_word_too_long_to_match_is_skipped_without_changing_the_answer() -> None:
    measured = rule("urgent")
    for length in range(1, 60):
        word = "urgent" + "x" * length
        expected = similarity(grams(word, 3), grams("urgent", 3)) >= 0.4
        assert (measured.found(word, final=True) == {0}) is expected


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, " ".join(f"q{i}" for i in range(200_000)), "字" * 200_000, "\ud800"]
)
def test_hostile_texts_end(text: str) -> None:
    assert rule("urgent").found(text, final=True) == set()


@given(
    st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=3),
    st.text("abc ", max_size=40),
)
def test_no_word_that_reaches_the_threshold_is_left_out(keywords: list[str], text: str) -> None:
    matcher = NgramWords.of(keywords, threshold=0.4, arity=3, case_sensitive=True)
    expected = {
        index
        for index, keyword in enumerate(keywords)
        for word in [*text.split(), text]
        if similarity(grams(word, 3), grams(keyword, 3)) >= 0.4
    }
    assert matcher.found(text, final=True) == expected
