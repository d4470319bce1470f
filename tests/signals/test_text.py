import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.signals.text import excerpt, plain, utf8


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("plain", b"plain"),
        ("é", "é".encode()),
        ("a\ud800b", "a\ufffdb".encode()),
        ("\udc00\ud83d", "\ufffd\ufffd".encode()),
        ("\ud83d\ude00", "\U0001f600".encode()),  # a pair that a decoder left apart
    ],
)
def test_lone_surrogates_become_replacement_characters(text: str, encoded: bytes) -> None:
    assert utf8(text) == encoded


def test_ten_thousand_lone_surrogates_are_replaced_as_one_is() -> None:
    text = "\ud83d" * 10_000 + "\ude00" * 10_000
    assert utf8(text) == ("\ufffd" * 9_999 + "\U0001f600" + "\ufffd" * 9_999).encode()


def test_a_short_text_is_its_own_excerpt() -> None:
    assert excerpt("x" * 2048) == "x" * 2048


def test_a_long_text_is_cut_to_head_middle_and_tail() -> None:
    text = "h" * 5000 + "m" * 5000 + "t" * 5000
    assert excerpt(text) == "\n".join(("h" * 682, "m" * 682, "t" * 684))


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Café", "cafe"), ("ÉCOLE", "ecole"), ("ﬁle", "file"), ("Привет", "привет"), ("", "")],
)
def test_plain_text_has_no_case_and_no_accents(text: str, folded: str) -> None:
    assert plain(text) == folded


@given(st.text("aé字\ud83d\ude00\ud800\udfff\U0001f600", max_size=12))
def test_surrogates_are_paired_as_utf_16_does(text: str) -> None:
    assert (
        utf8(text)
        == text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    )
