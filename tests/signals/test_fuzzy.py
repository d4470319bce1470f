import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.signals.fuzzy import FuzzyWords


def levenshtein(left: str, right: str) -> int:
    """The textbook matrix, as the oracle."""
    previous = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        current = [i]
        for j, b in enumerate(right, 1):
            current.append(min(previous[j] + 1, current[-1] + 1, previous[j - 1] + (a != b)))
        previous = current
    return previous[-1]


@given(
    st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=5),
    st.lists(st.text("abcd", min_size=1, max_size=11), min_size=1, max_size=8),
    st.integers(0, 4),
)
def test_distances_are_levenshteins(keywords: list[str], words: list[str], most: int) -> None:
    expected = {
        index
        for index, keyword in enumerate(keywords)
        if any(levenshtein(keyword, word) <= most for word in words)
    }
    assert FuzzyWords.of(keywords, most).found(" ".join(words), final=True) == expected


@pytest.mark.parametrize(
    ("keyword", "text", "near"),
    [
        ("urgent", "this is urgnet!", True),
        ("urgent", "URGEN", True),
        ("urgent", "detergent", False),
        ("größe", "grösse", True),
        ("асинхронный", "асинхроный", True),
        ("step by step", "stepbystep", True),  # two edits, as upstream counts
        ("step by step", "step by step", False),  # words are compared, never phrases
        ("a" * 64, "a" * 63, True),
        ("a" * 65, "a" * 65, False),  # no fuzzy form
        ("", "ab", False),
    ],
)
def test_a_word_within_two_edits_is_near(keyword: str, text: str, near: bool) -> None:
    assert (FuzzyWords.of([keyword], 2).found(text, final=True) == {0}) is near


def test_before_the_end_the_last_word_does_not_count() -> None:
    urgent = FuzzyWords.of(["urgent"], 2)
    assert urgent.found("it is urgen", final=False) == set()
    assert urgent.found("it is urgen ", final=False) == {0}


def test_only_the_first_8192_fitting_words_are_compared() -> None:
    filler = " ".join(f"zz{i:04}" for i in range(8192))
    urgent = FuzzyWords.of(["urgent"], 2)
    assert urgent.found(filler + " urgent", final=True) == set()
    assert urgent.found(filler.removeprefix("zz0000 ") + " urgent", final=True) == {0}


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "urgenx " * 100_000,
        " ".join(f"q{i}" for i in range(100_000)),
        "字" * 200_000,
        "\ud800 \udfff",
        "",
    ],
)
def test_hostile_texts_end(text: str) -> None:
    assert FuzzyWords.of(["think" * 5, "zebra"], 2).found(text, final=True) == set()


def test_no_keywords_find_nothing() -> None:
    assert FuzzyWords.of([], 2).found("anything", final=True) == set()
