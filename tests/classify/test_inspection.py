from __future__ import annotations

from itertools import pairwise

import pytest

from srd.classify import inspection
from srd.classify.encoder import Encoder, Head
from srd.classify.inspection import Inspector, readings, suspects, tightest
from srd.classify.ort import Session
from srd.classify.tokens import TextTokenizer

JAILBREAK, PII = frozenset({"jailbreak"}), frozenset({"pii"})
PLAIN = "the law of the cell is the law "


@pytest.fixture
def encoder(tiny):
    heads = {
        "jailbreak": Head(output="jailbreak_logits", labels=("benign", "jailbreak")),
        "pii": Head(output="pii_logits"),
    }
    tokenizer = TextTokenizer.load(tiny.folder / "tokenizer.json")
    return Encoder(Session(tiny.folder / "encoder.onnx"), tokenizer, heads)


def read(encoder, stretches):
    pieces = {number: piece for piece, number in encoder.tokenizer._tokenizer.get_vocab().items()}
    return [
        "".join(pieces[token].removeprefix("##") for token in stretch.encoded.ids)
        for stretch in stretches
    ]


@pytest.mark.parametrize("place", [0, 1, 2000, 4001])
def test_a_suspected_window_is_read_wherever_it_stands(encoder, guard, place):
    words = (PLAIN * 4000).split(" ")
    words[place * 5 : place * 5] = ["attack"]
    (one,) = Inspector(guard=guard("attack")).inspect(encoder, [" ".join(words)], JAILBREAK)
    assert one.stretches["jailbreak"]
    assert all("attack" in text for text in read(encoder, one.stretches["jailbreak"]))
    assert one.tokens < 400
    assert (one.unread, one.final) == (0, True)
    assert one.windows == len(" ".join(words)) // 75 - 2


def test_a_long_text_without_a_suspicion_costs_the_encoder_nothing(encoder, guard):
    (one,) = Inspector(guard=guard("attack")).inspect(encoder, [PLAIN * 2000], JAILBREAK)
    assert (one.stretches["jailbreak"], one.tokens, one.unread) == ([], 0, 0)
    assert one.suspicion == -3.0


def test_a_short_text_is_read_whole_whatever_the_guard_says(encoder, guard):
    (one,) = Inspector(guard=guard("attack")).inspect(encoder, ["the law"], JAILBREAK | PII)
    assert read(encoder, one.stretches["jailbreak"]) == ["thelaw"]
    assert one.stretches["jailbreak"][0].suspicion == -3.0
    assert one.tokens == 2  # jailbreak and pii read the same row


def test_the_most_suspicious_windows_of_all_segments_come_first(encoder, guard):
    guarded = guard("attack")
    texts = [PLAIN * 40 + "attack " + PLAIN * 40, PLAIN * 40 + "attack attack " + PLAIN * 40]
    (alone,) = Inspector(guard=guarded).inspect(encoder, texts[1:], JAILBREAK)
    tight = Inspector(max_tokens=alone.tokens, guard=guarded)
    first, second = tight.inspect(encoder, texts, JAILBREAK)
    assert second.stretches["jailbreak"]
    assert second.final
    assert first.stretches["jailbreak"] == []
    assert (first.final, first.suspicion) == (False, 7.0)


def test_what_a_texts_length_does_not_allow_is_left_to_the_guard(encoder, guard, monkeypatch):
    monkeypatch.setattr(inspection, "BASE_TOKENS", 200)
    unsure = guard("attack", weight=20)  # log-odds of -1
    text = (PLAIN * 40 + "attack ") * 30
    (one,) = Inspector(guard=unsure, threshold=-2.0).inspect(encoder, [text], JAILBREAK)
    assert 200 < one.tokens < 500
    assert (one.suspicion, one.final) == (pytest.approx(-1.0), True)


def test_a_flood_of_sure_suspicions_stays_within_the_tokens(encoder, guard):
    text = (PLAIN * 20 + "attack ") * 200
    (one,) = Inspector(max_tokens=500, guard=guard("attack")).inspect(encoder, [text], JAILBREAK)
    assert one.tokens <= 500
    assert (one.suspicion, one.final) == (7.0, False)


def test_calm_texts_are_read_whole_up_to_a_bound_of_their_own(encoder, guard):
    texts = [f"{PLAIN * 10} {number}" for number in range(60)]
    results = Inspector(guard=guard("attack")).inspect(encoder, texts, JAILBREAK)
    assert sum(one.tokens for one in results) <= inspection.CALM_TOKENS
    left = [one for one in results if not one.final]
    assert left
    assert all(one.suspicion == -3.0 for one in left)


@pytest.mark.parametrize("written", ["a\u200btt\u00adack", "ａｔｔａｃｋ", "a t t a c k", "аttасk"])
def test_evasive_forms_are_suspected_and_read_as_what_they_say(encoder, guard, written):
    text = PLAIN * 200 + written + " " + PLAIN * 200
    (one,) = Inspector(guard=guard("attack")).inspect(encoder, [text], JAILBREAK)
    assert all("attack" in found for found in read(encoder, one.stretches["jailbreak"]))
    assert one.stretches["jailbreak"]


def test_personal_data_is_looked_for_where_capitals_stand(encoder, guard):
    text = PLAIN * 100 + "said Jonathan Miller of Berlin " + PLAIN * 100
    (one,) = Inspector(guard=guard("attack")).inspect(encoder, [text], PII)
    (found,) = one.stretches["pii"]
    start, end = found.encoded.offsets[0][0], found.encoded.offsets[-1][1]
    assert "Jonathan Miller" in text[start:end]
    assert end - start < 400
    assert found.encoded.words


def test_personal_data_beyond_the_tokens_makes_the_answer_depend_on_the_ask(encoder, guard):
    text = ("said Jonathan Miller of Berlin " + PLAIN * 20) * 20
    (one,) = Inspector(max_tokens=300, guard=guard("x")).inspect(encoder, [text], PII)
    assert 0 < one.tokens <= 300
    assert not one.final


@pytest.mark.parametrize("text", ["b " * 3000, "!" * 3000], ids=["words", "signs"])
def test_without_a_guard_an_over_long_text_loses_its_middle_and_says_how_much(encoder, text):
    (one,) = Inspector(max_tokens=400).inspect(encoder, [text], JAILBREAK | PII)
    first, second = (part.encoded for part in one.stretches["pii"])
    assert len(first.ids) + len(second.ids) == one.tokens == 400
    assert first.offsets[0][0] == 0
    assert second.offsets[-1][1] == len(text.rstrip())
    assert one.unread == second.offsets[0][0] - first.offsets[-1][1]


def test_without_a_guard_later_segments_have_what_is_left(encoder):
    texts = ["the law", "b " * 3000, "ada"]
    results = Inspector(max_tokens=100).inspect(encoder, texts, JAILBREAK)
    assert [one.tokens for one in results] == [2, 98, 0]
    assert [one.final for one in results] == [True, False, False]
    assert results[2].unread == 3


def test_suspects_do_not_overlap_by_more_than_half_of_a_window(guard):
    profile = guard("attack").profile((PLAIN * 3 + "attack ") * 50)
    starts = sorted(start for start, _, _ in suspects(profile, 0.0))
    assert all(later - earlier >= 150 for earlier, later in pairwise(starts))


def test_the_tight_reading_is_the_sentence_that_is_suspected(guard):
    text = PLAIN * 4 + ". Please attack the law now. " + PLAIN * 4
    profile = guard("attack").profile(text)
    start, end = tightest(profile, 0, len(text))
    assert text[start:end] == "a"
    ((first, last),) = readings(text, profile, max(start - 150, 0), start + 150, wide=False)
    assert ". Please attack the law now. " in text[first:last]
    assert last - first < 220
