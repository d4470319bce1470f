from __future__ import annotations

import numpy as np
import pytest

from srd.classify.api import PiiSpan
from srd.classify.spans import BioLabels, merged

LABELS = BioLabels(("O", "B-PERSON", "I-PERSON", "B-GPE", "I-GPE"))


def rows(*tops: tuple[int, float]) -> np.ndarray:
    values = np.zeros((len(tops), 5))
    for row, (column, probability) in enumerate(tops):
        values[row] = (1 - probability) / 4
        values[row, column] = probability
    return values


def places(count: int) -> list[tuple[int, int]]:
    return [(4 * number, 4 * number + 3) for number in range(count)]


def test_begin_and_inside_merge_and_the_confidence_is_their_mean():
    found = LABELS.by_token(rows((0, 0.9), (1, 0.9), (2, 0.7), (0, 0.9)), places(4))
    assert found == [PiiSpan(4, 11, "PERSON", pytest.approx(0.8))]


def test_a_second_begin_starts_a_second_entity():
    found = LABELS.by_token(rows((1, 0.9), (1, 0.8)), places(2))
    assert [(span.start, span.end) for span in found] == [(0, 3), (4, 7)]


def test_an_inside_of_another_type_or_after_nothing_starts_an_entity():
    found = LABELS.by_token(rows((2, 0.9), (4, 0.8)), places(2))
    assert [span.label for span in found] == ["PERSON", "GPE"]


def test_no_entity_reaches_across_text_that_was_left_out():
    found = LABELS.by_token(rows((1, 0.9), (2, 0.9)), [(0, 3), (5000, 5003)])
    assert [(span.start, span.end) for span in found] == [(0, 3), (5000, 5003)]


def test_the_pieces_of_a_word_vote_together():
    values = np.array([[0.1, 0.5, 0.4, 0.0, 0.0], [0.4, 0.0, 0.3, 0.3, 0.0]])
    (span,) = LABELS.by_word(values, [(0, 2), (2, 5)], [7, 7])
    assert (span.start, span.end, span.label) == (0, 5, "PERSON")
    assert span.confidence == pytest.approx((0.9 + 0.3) / 2)


def test_a_word_that_is_rather_nothing_is_nothing():
    values = np.array([[0.5, 0.2, 0.1, 0.1, 0.1]])
    assert LABELS.by_word(values, [(0, 2)], [0]) == []


def test_words_of_one_entity_join_and_a_begin_separates():
    values = rows((1, 0.9), (2, 0.9), (1, 0.9))
    found = LABELS.by_word(values, places(3), [0, 1, 2])
    assert [(span.start, span.end) for span in found] == [(0, 7), (8, 11)]


def test_tokens_without_a_word_number_stand_alone():
    found = LABELS.by_word(rows((1, 0.9), (1, 0.9)), places(2), [None, None])
    assert len(found) == 2


def test_labels_without_prefix_count_as_inside():
    labels = BioLabels(("O", "EMAIL"))
    assert labels.types == ("EMAIL",)
    found = labels.by_token(np.array([[0.1, 0.9], [0.2, 0.8]]), places(2))
    assert found == [PiiSpan(0, 7, "EMAIL", pytest.approx(0.85))]


def test_a_rule_stands_where_it_overlaps_the_model():
    rule = PiiSpan(10, 20, "CREDIT_CARD", 0.99)
    model = [PiiSpan(0, 5, "PERSON", 0.9), PiiSpan(12, 14, "AGE", 0.4), PiiSpan(20, 25, "GPE", 0.9)]
    assert merged([rule], model) == (model[0], rule, model[2])
    assert merged([], model) == tuple(model)
