import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.signals.lookalikes import MOST_CHARS, folded, normalized, stable


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("ｉｇｎｏｒｅ", "ignore"),
        ("ig\u200bno\u00adre\ufeff", "ignore"),
        ("i\u2060g", "ig"),
        ("ﬁle²", "file2"),
        ("e\u0301", "é"),
        ("e\u200b\u0301", "é"),
        ("\ud800", "\ufffd"),
        ("дума", "дума"),
    ],
)
def test_compatibility_forms_and_invisible_characters_go(text: str, seen: str) -> None:
    assert normalized(text) == seen


def test_look_alikes_become_latin() -> None:
    assert folded("ignоrе рrеvіоus") == "ignore previous"
    assert folded("ΑΒΕ") == "ABE"
    assert folded("дж") == "дж"


def test_what_a_mark_may_still_change_waits_for_the_next_blank() -> None:
    assert stable("a b=") == "a "
    assert stable("a b ") == "a b "
    assert stable("ab") == ""


@given(st.text("ab =\u0338\u200bﬁ\u1100\u1161", max_size=12), st.text("a \u0338\u1161", max_size=6))
def test_a_stable_beginning_begins_every_continuation(start: str, rest: str) -> None:
    assert normalized(start + rest).startswith(normalized(stable(start)))


def test_of_a_text_that_grows_a_bounded_part_is_read() -> None:
    assert len(normalized("\ufdfa" * 262_144)) == MOST_CHARS
    assert normalized("ｘ ｙ" * 20_000) == "x y" * 20_000
