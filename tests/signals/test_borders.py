import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.signals.borders import (
    before_last_word,
    codes,
    is_touching,
    is_unspaced,
    marked,
    text_of,
)
from srd.signals.text import utf8

ANY = st.text(alphabet="ab_1 -.+éд\u0301\u200d字ก한😀—\ud800", max_size=40)


@pytest.mark.parametrize(
    ("char", "touches"),
    [
        ("a", True),
        ("7", True),
        ("_", True),
        ("é", True),
        ("д", True),
        ("λ", True),
        ("ع", True),
        ("\u094d", True),  # the virama of Devanagari, a mark
        ("٣", True),  # a digit of Arabic
        ("\u200d", True),  # the joiner inside Persian and Indic words
        ("\U00010400", True),  # Deseret, beyond the first plane
        (" ", False),
        ("+", False),
        ("—", False),
        ("²", False),
        ("😀", False),
        ("字", False),
        ("か", False),
        ("한", False),
        ("ก", False),
        ("\u0e49", False),  # a tone mark of Thai
        ("\ud800", False),
    ],
)
def test_letters_marks_and_digits_touch_where_words_have_blanks_between_them(
    char: str, touches: bool
) -> None:
    assert is_touching(char) is touches


def test_scripts_without_blanks_are_known() -> None:
    assert is_unspaced("ai 思考")
    assert is_unspaced("ภาษาไทย")
    assert not is_unspaced("über дума हिन्दी")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain c++", "plain c++"),
        ("über", "über"),
        ("学习python编程", "学习\x1fpython\x1f编程"),
        ("—да—", "—\x1fда\x1f—"),
        ("a\ud800", "a\x1f\ufffd"),
        ("字,字", "字,字"),
        ("", ""),
    ],
)
def test_a_border_between_other_than_ascii_is_marked(text: str, written: str) -> None:
    assert marked(text) == written.encode()


@given(ANY)
def test_points_and_texts_are_the_same_thing(text: str) -> None:
    assert text_of(codes(text)) == utf8(text).decode()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("stop and think", "stop and "),
        ("stop and think.", "stop and think."),
        ("onegiantword", ""),
        ("", ""),
        ("c++", "c++"),
        ("naïve", ""),
        ("так дума", "так "),
        ("так дума" + "ю" * 5000, "так "),
        ("学习pyth", "学习"),
        ("мы学习", "мы学习"),
        ("हिन्दी", ""),
        ("cafe\u0301", ""),
    ],
)
def test_the_last_word_is_left_out(text: str, kept: str) -> None:
    assert before_last_word(text) == kept


@given(ANY)
def test_what_is_left_ends_beside_a_word(text: str) -> None:
    kept = before_last_word(text)
    assert text.startswith(kept)
    assert not kept or not is_touching(kept[-1])
    assert all(is_touching(char) for char in text[len(kept) :])
