from __future__ import annotations

import numpy as np
import pytest

from srd.classify import heads


def test_softmax_survives_large_logits_and_half_precision():
    values = heads.softmax(np.array([1000.0, 1000.0, -1000.0], dtype=np.float32))
    np.testing.assert_allclose(values, [0.5, 0.5, 0.0])
    assert heads.softmax(np.array([1, 2], dtype=np.float16)).dtype == np.float32


def test_a_temperature_above_one_makes_less_sure():
    logits = np.array([2.0, 0.0])
    assert heads.softmax(logits, 2.0)[0] == pytest.approx(1 / (1 + np.exp(-1.0)))


def test_the_mixture_averages_log_probabilities():
    encoder, linear = np.log([0.8, 0.2]), np.log([0.5, 0.5]) + 3.0
    values = heads.mixture(encoder, linear, weight=0.5, temperature=1.0)
    assert values[0] / values[1] == pytest.approx(np.sqrt(0.8 * 0.5) / np.sqrt(0.2 * 0.5))
    for alone in (
        heads.mixture(encoder, linear, weight=0.0, temperature=1.0),
        heads.mixture(encoder, None, weight=0.5, temperature=1.0),
    ):
        np.testing.assert_allclose(alone, [0.8, 0.2], rtol=1e-5)


def test_the_risk_is_the_calibrated_sigmoid_of_the_margin():
    logits = np.array([0.5, 2.0])
    expected = 1 / (1 + np.exp(-(2.0 - 0.5 - 1.0) / 2.0))
    assert heads.risk(logits, (1,), temperature=2.0, bias=-1.0) == pytest.approx(expected)
    assert logits[1] == 2.0, "the caller's logits are left alone"


def test_the_risk_sums_over_all_positive_labels():
    logits = np.log([0.2, 0.3, 0.5])
    assert heads.risk(logits, (0, 2), temperature=1.0, bias=0.0) == pytest.approx(0.7)


def test_pooling_leaves_padding_out():
    states = np.array([[[1.0, 3.0], [3.0, 5.0], [99.0, 99.0]]])
    np.testing.assert_allclose(heads.pool(states, np.array([[1, 1, 0]])), [[2.0, 4.0]])


def test_embeddings_have_length_one_after_the_cut_to_fewer_dimensions():
    assert list(heads.normalised(np.array([3.0, 4.0, 12.0]), 2)) == pytest.approx([0.6, 0.8])
    assert list(heads.normalised(np.zeros(2))) == [0.0, 0.0]
