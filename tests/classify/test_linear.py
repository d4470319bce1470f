"""The hash is a contract between training and serving: checked against a slow, plain one."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.classify.linear import Hasher, Hashing, LinearStage

if TYPE_CHECKING:
    from pathlib import Path

WRAP = 1 << 32
SMALL = Hashing(bits=12, char_ngrams=(3, 5), max_chars=200, max_char_bytes=64)
LABELS = ("history", "math", "other")


def polynomial(symbols: bytes) -> int:
    return sum(b * pow(0x01000193, k, WRAP) for k, b in enumerate(symbols)) % WRAP


def plain_buckets(text: str, hashing: Hashing) -> list[int]:
    """The module's docstring, word for word, without numpy."""
    raw = text[: hashing.max_chars].lower()[: hashing.max_chars]
    encoded = b" " + raw.encode("utf-8", "replace") + b" "
    digits = re.sub(rb"[0-9]", b"0", encoded)
    symbols = re.sub(rb"[^a-z0\x80-\xff]", b" ", digits)
    words = [polynomial(word) for word in symbols.split(b" ") if word]
    hashes = [word ^ 0x243F6A88 for word in words]
    pairs = itertools.pairwise(words)
    hashes += [(a * 0x85EBCA6B + b) % WRAP ^ 0x85A308D3 for a, b in pairs]
    head = symbols[: hashing.max_char_bytes]
    for n in hashing.char_ngrams:
        starts = range(len(head) - n + 1)
        hashes += [polynomial(head[i : i + n]) ^ (0x13198A2E + n) for i in starts]
    return [h * 0x9E3779B1 % WRAP >> (32 - hashing.bits) for h in hashes]


def make(table: np.ndarray, bias: list[float], fade_chars: int | None = None) -> LinearStage:
    return LinearStage(
        hashing=SMALL,
        labels=LABELS,
        table=table.astype(np.int8),
        scale=np.array([0.01, 0.02, 0.03, 0.5], dtype=np.float32),
        bias=np.array(bias, dtype=np.float32),
        fade_chars=fade_chars,
    )


def random_stage() -> LinearStage:
    rng = np.random.default_rng(0)
    table = rng.integers(-127, 128, (1 << SMALL.bits, len(LABELS) + 1))
    table[:, -1] = rng.integers(1, 128, len(table))
    return make(table, [0.1, -0.2, 0.3])


@given(st.text(max_size=300))
def test_buckets_equal_the_plain_definition(text: str) -> None:
    assert sorted(Hasher(SMALL).buckets(text)) == sorted(plain_buckets(text, SMALL))


@pytest.mark.parametrize(
    "text", ["İstanbul'da 3 gün", "光合作用とは何ですか", "\ud800 lone", "a", ""]
)
def test_buckets_equal_the_plain_definition_in_odd_scripts(text: str) -> None:
    assert sorted(Hasher(SMALL).buckets(text)) == sorted(plain_buckets(text, SMALL))


def test_text_beyond_the_limit_changes_nothing() -> None:
    text = "force and mass " * 20
    short = random_stage().logits(text[: SMALL.max_chars])
    assert np.array_equal(random_stage().logits(text + "verdict and jury"), short)


def test_case_and_punctuation_do_not_matter_and_digits_are_one_class() -> None:
    hasher = Hasher(SMALL)
    assert np.array_equal(hasher.buckets("Pay 12!"), hasher.buckets("pay 99."))
    assert not np.array_equal(hasher.buckets("pay 12"), hasher.buckets("pay 123"))


def test_logits_are_bias_plus_weights_over_the_root_of_the_squares() -> None:
    stage = random_stage()
    rows = np.array(
        [stage._table[b] for b in plain_buckets("Why is it so?", SMALL)], dtype=np.int64
    )
    sums = rows.sum(axis=0) * np.array([0.01, 0.02, 0.03, 0.5])
    expected = np.array([0.1, -0.2, 0.3]) + sums[:-1] / np.sqrt(sums[-1])
    assert stage.logits("Why is it so?") == pytest.approx(expected, rel=1e-4)


def test_logits_fade_in_proportion_beyond_the_fading_length(tmp_path: Path) -> None:
    plain, text = random_stage(), "a question among many other words " * 5
    faded = make(plain._table, [0.1, -0.2, 0.3], fade_chars=40)
    path = tmp_path / "linear.npz"
    faded.save(path)
    expected = plain.logits(text) * (40 / len(text))
    assert LinearStage.load(path).logits(text) == pytest.approx(expected, rel=1e-5)
    assert np.array_equal(faded.logits(text[:40]), plain.logits(text[:40]))


def test_a_text_without_a_known_feature_gives_the_bias() -> None:
    empty = make(np.zeros((1 << SMALL.bits, len(LABELS) + 1)), [1.0, 2.0, 3.0])
    assert empty.logits("anything").tolist() == [1.0, 2.0, 3.0]


def test_saved_and_loaded_stages_answer_alike(tmp_path: Path) -> None:
    path = tmp_path / "linear.npz"
    random_stage().save(path)
    loaded = LinearStage.load(path)
    assert (loaded.hashing, loaded.labels) == (SMALL, LABELS)
    assert np.array_equal(loaded.logits("as before"), random_stage().logits("as before"))


def test_a_table_that_does_not_fit_the_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        make(np.zeros((8, len(LABELS) + 1)), [0.0, 0.0, 0.0])
