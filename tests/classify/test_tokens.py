from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.classify.api import ModelError
from srd.classify.tokens import TextTokenizer

#: Spaces of every kind, words, marks that compose, scripts, lone surrogates.
_BLANKS = (" ", "  ", "\n", "\r\n", "\t", "\x00", "\u00a0", "\u2028", "\u200b")
_WORDS = ("the", "ing", "A", "é", "e\u0301", "\u0301", "ß", "律", "9", "3.14", "don't", "x" * 120)
_OTHERS = ("!", "!!", "'s", "😀", "[SEP]", "\ud800")
PIECES = st.sampled_from(_BLANKS + _WORDS + _OTHERS)
TEXTS = st.one_of(st.lists(PIECES, max_size=30).map("".join), st.text(max_size=60))


@pytest.fixture(params=["wordpiece", "byte level", "byte level, space in front"])
def tokenizer(request, wordpiece, byte_level):
    if request.param == "wordpiece":
        return TextTokenizer(wordpiece)
    return TextTokenizer(byte_level(prefix_space="front" in request.param))


def split(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in itertools.pairwise(places)]


def test_a_text_in_pieces_has_the_ids_of_the_whole_text(tokenizer):
    @given(text=TEXTS, cuts=st.lists(st.integers(min_value=0, max_value=10_000), max_size=12))
    def check(text: str, cuts: list[int]) -> None:
        whole = list(tokenizer.encode(text).ids)
        tokens = tokenizer.incremental()
        for piece in split(text, cuts):
            tokens.feed(piece)
            assert tokens.ids == whole[: len(tokens.ids)], "certain ids are never taken back"
        tokens.finish()
        assert tokens.ids == whole

    check()


def test_ids_become_certain_while_the_text_still_grows(tokenizer):
    tokens = tokenizer.incremental()
    assert tokens.feed("the") == ()
    assert list(tokens.feed(" la")) == list(tokenizer.encode("the").ids)
    assert tokens.feed("w") == ()
    assert list(tokens.finish()) == list(tokenizer.encode(" law").ids)


def test_an_added_token_with_a_space_inside_holds_everything_back(wordpiece):
    wordpiece.add_special_tokens(["<the end>"])
    tokenizer = TextTokenizer(wordpiece)
    tokens = tokenizer.incremental()
    assert tokens.feed("a b <the") == ()
    tokens.feed(" end> c")
    assert list(tokens.finish()) == list(tokenizer.encode("a b <the end> c").ids)


def test_special_tokens_are_learned_from_the_tokenizer_itself(wordpiece, byte_level):
    tokenizer = TextTokenizer(wordpiece)
    assert (tokenizer.prefix, tokenizer.suffix, tokenizer.pad) == ((2,), (3,), 0)
    bare = TextTokenizer(byte_level())
    assert (bare.prefix, bare.suffix, bare.specials) == ((), (), 0)


def test_stored_truncation_and_padding_are_ignored(wordpiece):
    wordpiece.enable_truncation(4)
    wordpiece.enable_padding(length=16, pad_id=1)
    tokenizer = TextTokenizer(wordpiece)
    assert len(tokenizer.encode("a b c d e f").ids) == 6
    assert tokenizer.pad == 1


def test_offsets_count_characters_and_words_group_pieces(wordpiece):
    encoded = TextTokenizer(wordpiece).encode("é ab", offsets=True)
    assert list(encoded.offsets) == [(0, 1), (2, 3), (3, 4)]
    assert list(encoded.words) == [0, 1, 1]


def test_offsets_survive_a_lone_surrogate(wordpiece):
    encoded = TextTokenizer(wordpiece).encode("\ud83d a", offsets=True)
    assert encoded.offsets[-1] == (2, 3)


def test_an_unreadable_tokenizer_is_refused_by_name(tmp_path):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        TextTokenizer.load(path)
    path.write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        TextTokenizer.load(path)
