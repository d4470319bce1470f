import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.signals.english import IRREGULAR, STOP_WORDS, beginning, stem, stems


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        # the sample vocabulary of the published definition
        ("consign", "consign"),
        ("consigned", "consign"),
        ("consistency", "consist"),
        ("consolation", "consol"),
        ("consolidated", "consolid"),
        ("conspiracies", "conspiraci"),
        ("knack", "knack"),
        ("knightly", "knight"),
        ("knitting", "knit"),
        ("knives", "knive"),
        # each step
        ("caresses", "caress"),
        ("ties", "tie"),
        ("cries", "cri"),
        ("gas", "gas"),
        ("gaps", "gap"),
        ("agreed", "agre"),
        ("hopping", "hop"),
        ("hoping", "hope"),
        ("luxuriated", "luxuri"),
        ("by", "by"),
        ("say", "say"),
        ("cry", "cri"),
        ("relational", "relat"),
        ("organization", "organ"),
        ("apologist", "apologist"),
        ("analogi", "analog"),
        ("happily", "happili"),
        ("quickly", "quick"),
        ("formative", "format"),
        ("electrical", "electr"),
        ("hopefulness", "hope"),
        ("adoption", "adopt"),
        ("parallel", "parallel"),
        ("controll", "control"),
        ("generously", "generous"),
        ("skies", "sky"),
        ("news", "news"),
        ("proceed", "proceed"),
        ("dog's", "dog"),
        ("youth", "youth"),
        ("yes", "yes"),
        ("ab", "ab"),
        ("x" * 100, "x" * 100),
    ],
)
def test_stems_follow_the_published_definition(word: str, expected: str) -> None:
    assert stem(word) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("debugging", "debug"),
        ("compiled", "compile"),
        ("functions", "function"),
        ("implementing", "implement"),
        ("refactored", "refactor"),
        ("algorithms", "algorithm"),
        ("loops", "loop"),
        ("variables", "variable"),
    ],
)
def test_inflections_share_a_stem(left: str, right: str) -> None:
    assert stem(left) == stem(right)


def test_stop_words_case_and_accents_are_gone() -> None:
    assert stems("The Café is NOT a running-track") == ["cafe", "run", "track"]


def test_a_word_may_hold_an_apostrophe_or_a_full_stop() -> None:
    assert stems("It's 3.14 in main.py, don’t") == ["3.14", "main.pi"]


def test_an_unfinished_last_word_is_left_out() -> None:
    assert stems("debug the code", final=False) == ["debug"]
    assert stems("debug the code ", final=False) == ["debug", "code"]


def test_stop_words_are_lower_case_ascii() -> None:
    assert len(STOP_WORDS) > 100
    assert all(word.isascii() and word == word.lower() for word in STOP_WORDS)


ENDINGS = (
    *("s", "es", "ies", "ied", "ed", "edly", "ing", "ingly", "eed", "y", "ly", "li", "tional", "e"),
    *("ational", "ation", "izer", "ization", "alism", "fulness", "ousness", "iveness", "ivity"),
    *(
        "ability",
        "bly",
        "logy",
        "fully",
        "lessly",
        "icate",
        "icity",
        "ical",
        "ative",
        "ement",
        "'s",
    ),
    *("ion", "ll", "er", "ies", "encies", "abilities"),
)


@given(st.text("abeilnrsty", min_size=1, max_size=6), st.sampled_from(ENDINGS))
def test_a_word_begins_as_its_stem_does(start: str, ending: str) -> None:
    word = start + ending
    assert word in IRREGULAR or word.startswith(beginning(stem(word)))
