from __future__ import annotations

import pytest

from srd.classify.api import ModelError
from srd.classify.first_stage import FirstStage

LABELS = ("biology", "law", "math")


@pytest.fixture
def stage(tiny):
    def load(labels=LABELS, confidence=0.9, temperature=1.0, max_chars=None):
        return FirstStage.load(
            tiny.folder / "linear.npz",
            labels,
            temperature=temperature,
            confidence=confidence,
            max_chars=max_chars,
        )

    return load


def test_a_sure_text_is_answered_by_label_name_whatever_the_files_order(stage):
    answer = stage().answer("court")
    assert answer is not None
    assert max(answer, key=answer.get) == "law"
    assert list(answer) == list(LABELS)
    assert sum(answer.values()) == pytest.approx(1.0)


def test_an_unsure_text_is_handed_over(stage):
    assert stage().answer("something else") is None


def test_the_temperature_decides_what_is_sure(stage):
    assert stage(temperature=1000.0).answer("court") is None


def test_a_long_text_is_handed_over_however_sure_the_stage_is(stage):
    assert stage(max_chars=5).answer("court") is not None
    assert stage(max_chars=4).answer("court") is None


def test_labels_that_differ_from_the_encoders_are_refused_with_both_lists(stage):
    with pytest.raises(ModelError, match=r"law, math, biology.*history, law, math"):
        stage(labels=("history", "law", "math"))


def test_a_broken_archive_is_refused_by_name(tmp_path):
    path = tmp_path / "linear.npz"
    path.write_bytes(b"PK nothing")
    with pytest.raises(ModelError, match=r"linear\.npz"):
        FirstStage.load(path, LABELS, temperature=1.0, confidence=0.9)
