from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.classify.api import ModelError
from srd.classify.encoder import Encoder, Head, Piece, Row, pieces, stitched
from srd.classify.ort import Session
from srd.classify.tokens import TextTokenizer

HEADS = {
    "domain": Head(output="domain_logits", labels=("biology", "law", "math")),
    "jailbreak": Head(output="jailbreak_logits", labels=("benign", "jailbreak")),
    "pii": Head(output="pii_logits", labels=("O", "B-PERSON", "I-PERSON", "B-GPE", "I-GPE")),
    "embedding": Head(output="last_hidden_state"),
}
ALL = frozenset(HEADS)


@pytest.fixture
def encoder(tiny):
    def make(heads=HEADS, **options):
        session = Session(tiny.folder / "encoder.onnx")
        tokenizer = TextTokenizer.load(tiny.folder / "tokenizer.json")
        return Encoder(session, tokenizer, heads, **options)

    return make


def row(encoder, text):
    return Row(tuple(encoder.tokenizer.encode(text).ids), ALL)


def test_logits_are_those_of_the_graph_on_the_tokenizers_own_template(encoder, tiny):
    text = "ada's cell, 42!"
    encoder = encoder()
    (output,) = encoder.forward([row(encoder, text)])
    ids = tiny.ids(text)
    for head in ("domain", "jailbreak"):
        np.testing.assert_allclose(output[head], tiny.weights.logits(head, ids), atol=1e-5)
    np.testing.assert_allclose(output["pii"], tiny.weights.logits("pii", ids)[1:-1], atol=1e-5)
    states = tiny.weights.states(ids).mean(axis=0)
    np.testing.assert_allclose(output["embedding"], states, atol=1e-5)


def test_rows_in_a_batch_have_the_logits_they_have_alone(encoder):
    encoder = encoder()
    rows = [row(encoder, text) for text in ("a", "the law of the cell", "", "ada " * 30)]
    together = encoder.forward(rows)
    for one, output in zip(rows, together, strict=True):
        (alone,) = encoder.forward([one])
        assert output.keys() == alone.keys()
        for head in output:
            np.testing.assert_allclose(output[head], alone[head], atol=1e-5)


def test_a_beginning_is_no_longer_than_the_window_and_says_which_characters_it_read(encoder):
    encoder = encoder()
    beginning = encoder.beginning("the law " * 400, 64)
    assert len(beginning.ids) == 64 - 2
    assert beginning.text == ("the law " * 31)[:-1]
    assert beginning.density == len(beginning.text) / 62


def test_a_text_that_fits_its_window_is_read_to_its_end(encoder, tiny):
    text = "ada met the law."
    beginning = encoder().beginning(text, 64)
    assert list(beginning.ids) == tiny.ids(text)[1:-1]
    assert beginning.text == text


def test_tokenizing_a_beginning_is_bounded_whatever_the_text(encoder, monkeypatch):
    encoder = encoder()
    seen = []
    original = encoder.tokenizer.encode
    monkeypatch.setattr(
        encoder.tokenizer, "encode", lambda text, **kw: seen.append(text) or original(text, **kw)
    )
    encoder.beginning("x" * 1_000_000, 128)
    assert {len(text) for text in seen} == {128 * 32}


def test_a_head_reads_a_long_encoding_in_overlapping_pieces(encoder):
    encoder = encoder()
    found = encoder.cut(encoder.tokenizer.encode("a " * 1000), "jailbreak")
    assert found[0] == Piece(0, 384)
    assert found[-1].end == 1000
    assert all(later.start <= earlier.end - 16 for earlier, later in pairwise(found))


def test_the_pieces_of_a_head_follow_its_own_size(encoder):
    encoder = encoder(
        HEADS | {"pii": Head(output="pii_logits", labels=HEADS["pii"].labels, piece_tokens=100)}
    )
    encoded = encoder.tokenizer.encode("a " * 300)
    assert encoder.cut(encoded, "jailbreak") == [Piece(0, 300)]
    assert {piece.end - piece.start for piece in encoder.cut(encoded, "pii")} == {100}


def test_stitched_token_logits_take_each_token_from_the_piece_that_sees_more(encoder):
    heads = {"pii": Head(output="pii_logits", labels=HEADS["pii"].labels, piece_tokens=40)}
    encoder = encoder(heads)
    encoded = encoder.tokenizer.encode("ada the law cell " * 25)
    cut = encoder.cut(encoded, "pii")
    rows = [Row(tuple(encoded.ids[piece.start : piece.end]), frozenset({"pii"})) for piece in cut]
    outputs = [output["pii"] for output in encoder.forward(rows)]
    whole = stitched(zip(cut, outputs, strict=True))
    assert len(whole) == len(encoded.ids) == 100
    for token in range(100):
        best = max(
            range(len(cut)),
            key=lambda n: (min(token - cut[n].start, cut[n].end - 1 - token), -cut[n].start),
        )
        expected = outputs[best][token - cut[best].start]
        margins = sorted(min(token - piece.start, piece.end - 1 - token) for piece in cut)
        if len(margins) < 2 or margins[-1] - margins[-2] > 1:
            np.testing.assert_allclose(whole[token], expected, atol=1e-5)


def test_an_empty_text_is_a_row_of_special_tokens(encoder):
    encoder = encoder()
    (output,) = encoder.forward([row(encoder, "")])
    assert output["pii"].shape == (0, 5)
    assert output["domain"].shape == (3,)


def test_an_output_that_the_graph_lacks_is_refused_with_those_it_has(encoder):
    with pytest.raises(ModelError, match=r"no output 'logits' for domain.*domain_logits"):
        encoder({"domain": Head(output="logits")})


def test_labels_that_do_not_fit_the_columns_are_refused_with_the_labels(encoder):
    with pytest.raises(ModelError, match="3 columns, but domain has 2 labels: a, b"):
        encoder({"domain": Head(output="domain_logits", labels=("a", "b"))})


@given(count=st.integers(0, 3000), size=st.integers(4, 400), overlap=st.integers(0, 3))
def test_pieces_cover_every_token_with_full_length_pieces(count, size, overlap):
    found = pieces(count, size, overlap)
    assert found[0][0] == 0
    assert found[-1][1] == count
    assert all(end - start == min(size, count) for start, end in found)
    for (_, end), (start, _) in pairwise(found):
        assert start <= end - overlap
