from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.classify.candidates import weights


def test_a_name_inside_a_sentence_weighs_more_than_a_word_that_begins_one():
    plain, named = "The weather was fine today.", "the weather pleased Jonathan Miller today."
    assert weights(named)[-1] > weights(plain)[-1]


@pytest.mark.parametrize(
    "text",
    ["the law of the land, as it is.", "return value + other_value", "", "x", "ALL CAPITALS HERE"],
)
def test_texts_without_a_sign_weigh_next_to_nothing(text):
    assert weights(text)[-1] <= 1


def test_weights_stand_where_the_candidate_begins():
    text = "we met Ada Lovelace there"
    sums = weights(text)
    assert sums[text.index("Ada")] == 0
    assert sums[text.index("Ada") + 1] > 0
    assert sums[text.index("Lovelace") + 1] > sums[text.index("Lovelace")]


def test_a_run_of_digits_counts_once():
    assert weights("call 5551234567 now")[-1] == weights("call 555 now")[-1]


def test_other_scripts_with_capitals_count_too():
    assert weights("мы видели Анну Каренину там")[-1] > 0


@given(st.text())
def test_any_text_has_rising_sums_one_longer_than_itself(text):
    sums = weights(text)
    assert len(sums) == len(text) + 1
    assert (sums[1:] >= sums[:-1]).all()
