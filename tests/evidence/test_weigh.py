"""Word pieces counted without the tokenizer, against the tokenizer."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_kinds import KINDS

from srd.classify.tokens import TextTokenizer
from srd.evidence.weigh import cut, tail, weigh

ROOT = Path(__file__).parents[2]
HOSTILE = {
    "one letter": "a" * 1_000_000,
    "blanks": " " * 1_000_000,
    "marks": "\u0301" * 1_000_000,
    "commas": "," * 1_000_000,
    "ideographs": "\u6587" * 1_000_000,
    "emoji": "\U0001f600" * 1_000_000,
    "blanks and letters": (" " * 1_000 + "a") * 1_000,
    "runs just under the longest word": ("q7" * 50 + " ") * 10_000,
    "lone surrogates": "\ud800" * 1_000_000,
    "zero bytes": "\x00" * 1_000_000,
}

letters = "ab zQ7\u00e9\u0301\u0434\u6587\u3042\uac00\u0e01\U0001f600.,_\n \ud800"
runs = ["a" * 60, "b" * 101, " " * 257, "word ", "x1" * 40, ",", "\u6587", "z" * 2_000]
texts = st.text(st.sampled_from(letters)) | st.lists(st.sampled_from(runs)).map("".join)
budgets = st.integers(0, 40)


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer.load(ROOT / "models/default/tokenizer.json")


@pytest.mark.parametrize("kind", KINDS)
def test_a_beginning_weighs_what_the_tokenizer_counts_within_15_per_cent(
    kind: str, tokenizer: TextTokenizer
) -> None:
    text = KINDS[kind] if len(tokenizer.encode(KINDS[kind]).ids) >= 64 else 6 * KINDS[kind]
    for tokens in (64, 128, 256, 512):
        end = cut(text, tokens)
        assert end is not None
        real = len(tokenizer.encode(text[:end]).ids)
        assert abs(weigh(text[:end]) - real) <= 0.15 * real
        if end < len(text):
            assert abs(tokens - real) <= 0.15 * tokens


def test_at_least_twenty_kinds_are_measured() -> None:
    assert len(KINDS) >= 20


def test_an_unbroken_run_is_one_unknown_word_to_both(tokenizer: TextTokenizer) -> None:
    run = "q7" * 51
    assert weigh(run) == len(tokenizer.encode(run).ids) == 1


def test_a_window_ends_in_a_run_that_never_does() -> None:
    end = cut("a" * 1_000_000, 64)
    assert end is not None
    assert 12_000 < end < 14_000


def test_a_window_ends_in_blanks_that_never_do() -> None:
    assert cut(" " * 1_000_000, 64) == 64 * 256


def test_an_id_of_many_pieces_is_cut_in_its_middle_when_it_does_not_fit() -> None:
    long_id = "9f" * 45
    end = cut(f"{long_id} and more", 32)
    assert end is not None
    assert 30 <= end < len(long_id)


def test_a_word_at_the_end_is_not_judged_while_it_may_grow() -> None:
    assert cut("a b cd", 2, more=True) == len("a b")
    assert cut("a b", 2, more=True) is None
    assert cut("a b ", 2, more=True) is None
    assert cut("a b ", 2) == len("a b ")


@given(texts, texts, budgets)
def test_a_filled_window_stays_whatever_follows(front: str, rest: str, tokens: int) -> None:
    end = cut(front, tokens, more=True)
    if end is not None:
        assert cut(front + rest, tokens) == end
        assert cut(front + rest, tokens, more=True) == end


@given(texts, budgets)
def test_a_beginning_fits_and_grows_with_its_tokens(text: str, tokens: int) -> None:
    end, further = cut(text, tokens), cut(text, tokens + 1)
    assert end is not None
    assert further is not None
    assert 0 <= end <= further <= len(text)
    assert weigh(text[:end]) <= tokens


@given(texts, budgets)
def test_an_ending_fits_and_grows_with_its_tokens(text: str, tokens: int) -> None:
    start = tail(text, tokens)
    assert 0 <= tail(text, tokens + 1) <= start <= len(text)
    assert weigh(text[start:]) <= tokens


@given(texts)
def test_what_fits_is_left_whole(text: str) -> None:
    assert cut(text, weigh(text) + 1) == len(text)
    assert tail(text, weigh(text) + 1) == 0


@given(st.text(), budgets)
@settings(max_examples=50)
def test_any_text_has_both_ends(text: str, tokens: int) -> None:
    assert cut(text, tokens) in range(len(text) + 1)
    assert tail(text, tokens) in range(len(text) + 1)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_of_anything_has_a_window_in_a_few_hundred_characters_a_token(
    name: str,
) -> None:
    text = HOSTILE[name]
    end, start = cut(text, 64, more=True), tail(text, 64)
    assert end is not None
    assert end <= 64 * 260
    assert len(text) - start <= 64 * 260


class Watched(str):
    """A text that tells how far it was sliced."""

    __slots__ = ()
    taken = 0

    def __getitem__(self, place: object) -> str:
        found = str.__getitem__(self, place)  # type: ignore[index]
        Watched.taken += len(found)
        return found


def test_an_ending_is_found_without_reading_the_beginning() -> None:
    Watched.taken = 0
    assert tail(Watched("some words. " * 100_000), 64) > 1_190_000
    assert Watched.taken < 4_000


def test_the_filter_is_that_of_the_shipped_vocabulary() -> None:
    tool = runpy.run_path(str(ROOT / "tools/word_pieces.py"))
    assert tool["FILE"].read_bytes() == tool["pieces"]()
