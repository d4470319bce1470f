from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.classify.api import Ask, ModelError
from srd.classify.encoder import Encoder, Head, pieces
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


def ask(text, *heads, window=512):
    return Ask(text=text, heads=frozenset(heads) or ALL, window=window)


def test_a_short_text_is_one_row_for_all_heads(encoder):
    plan = encoder().plan(ask("ada met the law."))
    assert [row.heads for row in plan.rows] == [ALL]
    assert plan.tokens == len(plan.full.ids)


def test_logits_are_those_of_the_graph_on_the_tokenizers_own_template(encoder, tiny):
    text = "ada's cell, 42!"
    encoder = encoder()
    (output,) = encoder.forward(encoder.plan(ask(text)).rows)
    ids = tiny.ids(text)
    for head in ("domain", "jailbreak"):
        np.testing.assert_allclose(output[head], tiny.weights.logits(head, ids), atol=1e-5)
    np.testing.assert_allclose(output["pii"], tiny.weights.logits("pii", ids)[1:-1], atol=1e-5)
    states = tiny.weights.states(ids).mean(axis=0)
    np.testing.assert_allclose(output["embedding"], states, atol=1e-5)


def test_rows_in_a_batch_have_the_logits_they_have_alone(encoder):
    encoder = encoder()
    texts = ("a", "the law of the cell", "", "ada " * 30)
    rows = [row for text in texts for row in encoder.plan(ask(text)).rows]
    together = encoder.forward(rows)
    for row, output in zip(rows, together, strict=True):
        (alone,) = encoder.forward([row])
        assert output.keys() == alone.keys()
        for head in output:
            np.testing.assert_allclose(output[head], alone[head], atol=1e-5)


def test_prefix_heads_read_no_more_than_the_window(encoder):
    plan = encoder().plan(ask("the " * 400, "domain", "embedding", window=64))
    (row,) = plan.rows
    assert len(row) == 64 - 2


def test_text_beyond_the_windows_characters_is_not_even_tokenized(encoder, monkeypatch):
    encoder = encoder()
    seen = []
    original = encoder.tokenizer.encode
    monkeypatch.setattr(
        encoder.tokenizer, "encode", lambda text, **kw: seen.append(text) or original(text, **kw)
    )
    encoder.plan(ask("ab " * 5000, "domain", window=128))
    assert [len(text) for text in seen] == [128 * 6]


def test_full_heads_read_everything_in_overlapping_pieces(encoder):
    encoder = encoder()
    plan = encoder.plan(ask("a " * 1000, "jailbreak"))
    places = [(row.start, row.end) for row in plan.rows]
    assert places[0] == (0, 384)
    assert places[-1][1] == len(plan.full.ids) == 1000
    assert all(later[0] <= earlier[1] - 16 for earlier, later in pairwise(places))
    assert not plan.truncated


def test_the_pieces_of_a_head_follow_its_own_size(encoder):
    heads = HEADS | {"pii": Head(output="pii_logits", labels=HEADS["pii"].labels, piece_tokens=100)}
    plan = encoder(heads).plan(ask("a " * 300, "jailbreak", "pii"))
    shared = [row for row in plan.rows if row.heads == {"jailbreak"}]
    assert [(row.start, row.end) for row in shared] == [(0, 300)]
    assert {len(row) for row in plan.rows if row.heads == {"pii"}} == {100}


def test_stitched_token_logits_take_each_token_from_the_piece_that_sees_more(encoder):
    heads = {"pii": Head(output="pii_logits", labels=HEADS["pii"].labels, piece_tokens=40)}
    encoder = encoder(heads)
    plan = encoder.plan(ask("ada the law cell " * 25, "pii"))
    outputs = encoder.forward(plan.rows)
    stitched = encoder.stitched(plan, outputs, "pii")
    assert len(stitched) == len(plan.full.ids) == 100
    for token in range(100):
        row = max(
            plan.rows, key=lambda row: (min(token - row.start, row.end - 1 - token), -row.start)
        )
        expected = outputs[plan.rows.index(row)]["pii"][token - row.start]
        margins = sorted(min(token - row.start, row.end - 1 - token) for row in plan.rows)
        if len(margins) < 2 or margins[-1] - margins[-2] > 1:
            np.testing.assert_allclose(stitched[token], expected, atol=1e-5)


@pytest.mark.parametrize("text", ["a" + "b " * 3000, "!" * 3000], ids=["characters", "tokens"])
def test_an_over_long_text_loses_its_middle_and_the_plan_says_so(encoder, text):
    plan = encoder(full_tokens=400).plan(ask(text, "jailbreak", "pii"))
    assert plan.truncated
    assert len(plan.full.ids) == 400
    assert plan.full.offsets[0] == (0, 1)
    last = plan.full.offsets[-1]
    assert text[last[0] : last[1]] == text.rstrip()[-1]
    assert last[1] == len(text.rstrip())


def test_an_empty_text_is_a_row_of_special_tokens(encoder):
    encoder = encoder()
    plan = encoder.plan(ask(""))
    (output,) = encoder.forward(plan.rows)
    assert output["pii"].shape == (0, 5)
    assert output["domain"].shape == (3,)


def test_an_ask_for_other_heads_needs_no_row(encoder):
    assert encoder({"domain": HEADS["domain"]}).plan(ask("x", "pii")) is None


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
