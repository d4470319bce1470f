"""Patterns that are shortcuts, and the decoding of strings."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.body import lexis

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


def depth(value):
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(value=VALUES, indent=st.sampled_from([None, 0, 2]))
def test_a_whole_value_is_taken_in_one_step_up_to_some_depth(value, indent):
    data = json.dumps(value, indent=indent).encode()
    match = lexis.VALUE.match(data + b",")
    if depth(value) <= 4:
        assert match is not None
    assert match is None or match.end() == len(data)


@given(st.text('{}[],:"a1e-. ', max_size=10))
def test_what_is_taken_in_one_step_is_json(text):
    match = lexis.VALUE.match(text.encode() + b" ")
    if match:
        json.loads(match.group())


@pytest.mark.parametrize(
    "data", [b"12", b"1.", b"1e", b"-", b"01", b'"a', b'{"a":1', b"[1,]", b"{,}"]
)
def test_what_may_go_on_or_is_wrong_is_not_taken(data):
    match = lexis.VALUE.match(data)
    assert match is None or match.end() < len(data)


@pytest.mark.parametrize(
    ("data", "groups"),
    [
        (b'{"role":"user","content":"hi"}', (b"user", b"hi")),
        (b'{ "role" : "user" ,\n "content" : "a\\"b" }', (b"user", b'a\\"b')),
        (b'{"role":"user","content":""}', (b"user", b"")),
        (b'{"content":"hi","role":"user"}', None),
        (b'{"role":"user","content":"hi","name":"x"}', None),
        (b'{"role":"user","content":["hi"]}', None),
        (b'{"role":"user","content":"h\ni"}', None),
        (b'{"role":"User","content":"hi"}', None),
    ],
)
def test_a_plain_message_is_recognised_and_nothing_else(data, groups):
    match = lexis.MESSAGE.match(data)
    assert (match.groups() if match else None) == groups


def test_runs_of_backslashes_are_counted_within_their_bounds():
    assert not lexis.odd_backslashes(b"", 0, 0)
    assert not lexis.odd_backslashes(b"ab", 0, 2)
    for count in (1, 2, 15, 16, 17, 63, 64, 65, 5000, 5001):
        data = b"a" + b"\\" * count
        assert lexis.odd_backslashes(data, 0, len(data)) == (count % 2 == 1)
        assert lexis.odd_backslashes(data, 2, len(data)) == (count % 2 == 0)


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (b'"a"', "a"),
        (b'"\\u00e9\\n\\/"', "é\n/"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\ud83d"', "\ufffd"),
        (b'"\\ude00\\ud83d"', "\ufffd\ufffd"),
        (b'"\xff"', "\ufffd"),
        (b'"\\q"', None),
        (b'"\\u12"', None),
        (b'"a\x00b"', "a\x00b"),
    ],
)
def test_a_string_token_is_decoded_as_far_as_it_can_be(token, text):
    assert lexis.decode_string(token) == text


@given(st.text())
def test_a_text_survives_encoding_and_decoding(text):
    encoded = lexis.encode_string(text)
    assert json.loads(encoded) == text
    assert lexis.decode_string(encoded) == text


def test_a_text_that_is_no_unicode_is_still_encoded():
    assert json.loads(lexis.encode_string("a\ud800")) == "a?"
