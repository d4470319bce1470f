from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.classify.guard import CHUNK_CHARS, Guard, GuardHashing, features, symbols


def random_guard(seed: int = 1) -> Guard:
    hashing = GuardHashing(bits=16)
    table = np.random.default_rng(seed).integers(-127, 128, 1 << 16).astype(np.int8)
    return Guard(hashing=hashing, table=table, scale=0.01, bias=-1.0)


def test_a_suspicious_word_raises_the_windows_that_hold_it_and_no_other(guard):
    text = "plain words here " * 60 + "attack" + " plain words here" * 60
    starts, odds = guard("attack").profile(text).windows(300, 75)
    place = text.index("attack")
    holds = (starts <= place) & (place < starts + 300)
    assert holds.any()
    assert (odds[holds] == odds.max()).all()
    assert (odds[~holds] == -3.0).all()


def test_case_and_what_stands_between_words_do_not_matter(guard):
    suspicions = {
        guard("attack").profile(text).suspicion(0, len(text))
        for text in ("attack", "ATTACK!", '"attack"', "\nAttack.", "(attack)", "“attack”")
    }
    assert suspicions == {7.0}


@pytest.mark.parametrize("place", [0, 1, CHUNK_CHARS - 7, CHUNK_CHARS - 3, CHUNK_CHARS, 99_000])
def test_a_text_of_many_chunks_has_the_suspicions_of_its_parts(place):
    guard = random_guard()
    words = "the quick brown fox jumps over one lazy dog and runs away "
    text = "x" * (place % 7) + " " + words * 2000
    piece = text[place : place + 900]
    start = piece.index(" ") + 1
    end = piece.rindex(" ", 0, 600)
    alone = guard.profile(piece)
    whole = guard.profile(text)
    assert whole.suspicion(place + start, place + end) == pytest.approx(alone.suspicion(start, end))


def test_windows_cover_all_of_a_text_and_the_last_ends_at_its_end():
    guard = random_guard()
    for length in (0, 1, 299, 300, 301, 375, 1000):
        starts, odds = guard.profile("a " * (length // 2) + "a" * (length % 2)).windows(300, 75)
        assert starts[0] == 0
        assert starts[-1] == max(length - 300, 0)
        assert (np.diff(starts) <= 75).all()
        assert len(odds) == len(starts)


@given(st.text())
def test_any_text_has_a_symbol_for_each_character_and_a_profile(text):
    assert len(symbols(text)) == len(text)
    assert len(random_guard().profile(text).sums) == len(text) + 1


def test_features_stand_where_their_first_word_begins():
    buckets, places = features("one two three", GuardHashing(char_ngrams=()))
    # three words, two pairs, one pair with a word between, one run of three
    assert sorted(places.tolist()) == [0, 0, 0, 0, 4, 4, 8]
    assert len(set(buckets.tolist())) == 7


def test_what_is_saved_is_what_is_loaded(tmp_path):
    guard = random_guard()
    guard.verdict = np.arange(8, dtype=np.float32)
    path = tmp_path / "guard.npz"
    guard.save(path)
    first = path.read_bytes()
    loaded = Guard.load(path)
    assert loaded.profile("some words").sums.tolist() == guard.profile("some words").sums.tolist()
    assert loaded.verdict.tolist() == guard.verdict.tolist()
    loaded.save(path)
    assert len(path.read_bytes()) == len(first)


def test_a_table_of_another_size_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        Guard(hashing=GuardHashing(bits=8), table=np.zeros(4, dtype=np.int8), scale=1, bias=0)


def test_the_verdict_weighs_encoder_guard_and_embedding():
    guard = random_guard()
    embedding = np.array([1.0, 0.0], dtype=np.float32)
    assert guard.judged(2.0, 5.0, embedding) == 2.0
    guard.verdict = np.array([0.5, 0.25, 3.0, 9.0, -1.0], dtype=np.float32)
    assert guard.judged(2.0, 4.0, embedding) == pytest.approx(1.0 + 1.0 + 3.0 - 1.0)
    assert guard.judged(2.0, 4.0, None) == 2.0
