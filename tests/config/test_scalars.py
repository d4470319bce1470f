import re

import pytest

from srd.config.scalars import Mismatch, described, is_null, natural, read_scalar
from srd.config.shape import Anything, Choice, ListOf, Number, Shape, StructOf, Switch, Text
from srd.config.signals import Signals

WHOLE, REAL, TOKENS = Number(True), Number(False), Number(True, ge=0, tokens=True)
SHARE = Number(False, 0, 1)


@pytest.mark.parametrize(
    ("text", "shape", "value"),
    [
        ("8", WHOLE, 8),
        ("-8", WHOLE, -8),
        ("1_000", WHOLE, 1000),
        ("1.048576e+07", WHOLE, 10485760),
        ("20.0", WHOLE, 20),
        ("0", WHOLE, 0),
        ("0.5", REAL, 0.5),
        (".5", REAL, 0.5),
        ("1e-3", REAL, 0.001),
        ("2", REAL, 2.0),
        ("1.0", SHARE, 1.0),
        ("true", Switch(), True),
        ("FALSE", Switch(), False),
        ("yes", Switch(), True),
        ("off", Switch(), False),
        ("no", Text(), "no"),
        ("on", Text(), "on"),
        ("v0.3", Text(), "v0.3"),
        ("1.2.3", Text(), "1.2.3"),
        ("12:30", Text(), "12:30"),
        ("404", Text(word=True), "404"),
        ("true", Text(word=True), "true"),
        ("insert", Choice(("insert", "replace")), "insert"),
        ("0", TOKENS, 0),
        ("8192", TOKENS, 8192),
        ("32K", TOKENS, 32_000),
        ("32k", TOKENS, 32_000),
        ("1M", TOKENS, 1_000_000),
        ("1.5K", TOKENS, 1500),
        (" 2 K ", TOKENS, 2000),
    ],
)
def test_an_unquoted_scalar_is_read_as_what_is_expected(
    text: str, shape: Shape, value: object
) -> None:
    read = read_scalar(text, True, False, shape)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "shape", "what"),
    [
        ("high", WHOLE, 'expected a whole number, got "high"'),
        ("1.5", WHOLE, "expected a whole number, got 1.5"),
        ("010", WHOLE, "a leading zero makes 010 ambiguous"),
        ("1e400", REAL, "too large"),
        ("9007199254740993", WHOLE, "too large"),
        (".nan", REAL, 'expected a number, got ".nan"'),
        (".inf", REAL, 'expected a number, got ".inf"'),
        ("2", SHARE, "must be between 0 and 1, got 2"),
        ("-1", Number(True, ge=0), "must be at least 0, got -1"),
        ("9", Number(True, le=5), "must be at most 5, got 9"),
        ("true", WHOLE, "expected a whole number, got true"),
        ("5", Switch(), "expected true or false, got the number 5"),
        ("maybe", Switch(), 'expected true or false, got "maybe"'),
        ("5", Text(), "expected text, got the number 5"),
        ("true", Text(), "expected text, got true"),
        ("", Text(min_length=1), "expected text, got nothing"),
        ("or", Choice(("AND", "OR")), '"or" is not known here'),
        ("32G", TOKENS, 'expected a number of tokens such as 8192 or 32K, got "32G"'),
        ("-1", TOKENS, "expected a number of tokens"),
        ("9999999999999M", TOKENS, "too large"),
        ("x", ListOf(Text()), 'expected a list, got "x"'),
        ("x", StructOf(Signals), 'expected a mapping, got "x"'),
    ],
)
def test_an_unquoted_scalar_that_does_not_fit_is_a_mismatch(
    text: str, shape: Shape, what: str
) -> None:
    with pytest.raises(Mismatch, match=re.escape(what)):
        read_scalar(text, True, False, shape)


@pytest.mark.parametrize(
    ("text", "shape", "hint"),
    [
        ("5", WHOLE, "write it without quotes"),
        ("true", Switch(), "write it without quotes"),
        ("yes", Switch(), ""),
        ("five", WHOLE, ""),
    ],
)
def test_a_quoted_number_or_boolean_is_text(text: str, shape: Shape, hint: str) -> None:
    with pytest.raises(Mismatch, match="got the text") as caught:
        read_scalar(text, False, False, shape)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("text", "shape", "value"),
    [("5", WHOLE, 5), ("true", Switch(), True), ("0.5", REAL, 0.5), ("5", Text(), "5")],
)
def test_a_quoted_scalar_made_of_variables_is_read_again(
    text: str, shape: Shape, value: object
) -> None:
    assert read_scalar(text, False, True, shape) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), ("~", None), ("true", True), ("no", "no"), ("12", 12), ("1.5", 1.5), ("a", "a"),
     ("1e3", 1000.0)],
)  # fmt: skip
def test_a_scalar_of_which_nothing_is_expected_follows_yaml_1_2(text: str, value: object) -> None:
    assert natural(text, True) == value
    assert read_scalar(text, True, False, Anything()) == value
    assert natural(text, False) == text


def test_null_is_an_unquoted_nothing() -> None:
    assert is_null("", True)
    assert is_null("~", True)
    assert is_null("null", True)
    assert not is_null("", False)
    assert not is_null("none", True)


def test_every_shape_can_be_described_in_words() -> None:
    assert described(Choice(("", "a", "b"))) == 'one of "a", "b"'
    assert described(Anything()) == "a value"
    assert described(REAL) == "a number"
