"""The parts of training that need no torch: splits, written prompts, spans, measures."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime")


def test_near_duplicates_share_a_split() -> None:
    from srd_train.data import Row, split

    base = "a train leaves the station at noon and travels north at eighty kilometres per hour"
    rows = [Row(f"{base} number {index}", "x", "math") for index in range(20)]
    assert len({row.split for row in split(rows, dev=0.3, test=0.3)}) == 1


def test_rows_of_one_group_share_a_split_and_a_held_row_decides() -> None:
    from srd_train.data import Row, split

    rows = [
        Row("alpha beta gamma", "x", "math", group="g", held="train"),
        Row("delta epsilon zeta", "x", "math", group="g", held="test"),
    ]
    assert [row.split for row in split(rows)] == ["test", "test"]


def test_exact_duplicates_are_dropped_regardless_of_case_and_punctuation() -> None:
    from srd_train.data import Row, split

    rows = [Row("What is a mole?", "x", "chemistry"), Row("what is a mole", "y", "chemistry")]
    assert len(split(rows)) == 1


def test_generated_card_numbers_pass_luhn_and_ibans_mod_97() -> None:
    import random

    from srd_train.write_pii import Values, luhn_digit

    values = Values(random.Random(1))
    for _ in range(50):
        card = values.make("CREDIT_CARD").replace("-", "").replace(" ", "")
        assert int(card[-1]) == luhn_digit(card[:-1])
        iban = values.make("IBAN_CODE").replace(" ", "")
        assert int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


def test_filled_templates_have_spans_on_their_values() -> None:
    import random

    from srd_train.write_pii import Values, fill

    text, spans = fill('{{"name": "{PERSON}", "ssn": "{US_SSN}"}}', Values(random.Random(2)))
    assert [kind for _, _, kind in spans] == ["PERSON", "US_SSN"]
    assert (
        text == f'{{"name": "{text[slice(*spans[0][:2])]}", "ssn": "{text[slice(*spans[1][:2])]}"}}'
    )


def test_neighbouring_tokens_of_one_type_become_one_span() -> None:
    from srd_train.common import PII
    from srd_train.runtime import spans

    labels = ["O", "B-PERSON", "I-PERSON", "O", "B-PERSON", "B-GPE"]
    rows = np.full((len(labels), len(PII)), 0.001)
    rows[np.arange(len(labels)), [PII.index(label) for label in labels]] = 0.9
    text = "am Ada Berg or Bo Oslo"
    offsets = [(0, 2), (3, 6), (7, 11), (12, 14), (15, 17), (18, 22)]
    found = [(text[s:e], kind) for s, e, kind, _ in spans(text, rows, offsets)]
    assert found == [("Ada Berg", "PERSON"), ("Bo", "PERSON"), ("Oslo", "GPE")]


def test_pieces_of_a_long_text_overlap_and_cover_every_token() -> None:
    from srd_train.runtime import pieces

    ids = [101, *range(1000, 1300), 102]
    cut = pieces(ids, 128)
    assert all(len(piece) <= 128 and (piece[0], piece[-1]) == (101, 102) for piece in cut)
    assert sorted({token for piece in cut for token in piece[1:-1]}) == list(range(1000, 1300))


def test_auc_counts_ties_as_halves() -> None:
    from srd_train.measures import auc

    assert auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0, 0, 1, 1])) == pytest.approx(0.875)


def test_ece_of_an_honest_model_is_zero() -> None:
    from srd_train.measures import classification

    probabilities = np.tile([0.75, 0.25], (4, 1))
    result = classification(probabilities, np.array([0, 0, 0, 1]), ("a", "b"))
    assert (result["accuracy"], result["ece"]) == (0.75, 0.0)


def test_a_span_counts_only_with_its_exact_ends_and_type() -> None:
    from srd_train.measures import entities

    real = [(0, 5, "PERSON"), (9, 13, "GPE")]
    result = entities([([(0, 5, "PERSON"), (9, 12, "GPE")], real)])
    assert (result["f1"], result["overlap_recall"]) == (0.5, 1.0)
