"""Decoding in pieces, and texts in bounded memory."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd.body.text import OMISSION, BoundedText, TextDecoder, TextList, decode_body

RAW = st.lists(
    st.sampled_from(
        [
            *(b"a", b"\\\\", b'\\"', b"\\n", b"\\u00e9", b"\\ud83d", b"\\ude00", b"\\uD83D\\uDE00"),
            *("é".encode(), "中".encode(), "😀".encode(), b"\xff", b"\xe4\xb8", b"\xed\xa0"),
        ]
    ),
    max_size=10,
).map(b"".join)


def decode(raw, cuts=()):
    decoder = TextDecoder()
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    text = "".join(decoder.feed(raw[a:b]) for a, b in itertools.pairwise(edges))
    return text + decoder.feed(b"", last=True)


@given(raw=RAW, cuts=st.lists(st.integers(0, 50), max_size=6))
@settings(max_examples=500)
def test_characters_do_not_depend_on_the_pieces(raw, cuts):
    assert decode(raw, cuts) == decode(raw) == decode_body(raw)
    assert decode(raw, range(len(raw))) == decode(raw)


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.booleans())
def test_characters_are_those_of_the_json_module(text, ascii_only):
    raw = json.dumps(text, ensure_ascii=ascii_only).encode()[1:-1]
    assert decode(raw) == text
    assert decode(raw, range(len(raw))) == text


@pytest.mark.parametrize("raw", [b"\\", b"\\u", b"\\u1", b"\\ud83", b"\\ud83d", b"\\ud83d\\ude0"])
def test_an_open_escape_waits(raw):
    decoder = TextDecoder()
    assert decoder.feed(b"ab" + raw) == "ab"
    assert decoder._open == raw


def test_backslashes_that_are_no_open_escape_do_not_wait():
    decoder = TextDecoder()
    assert decoder.feed(b"\\\\") == "\\"
    assert decoder.feed(b"\\\\ud83d") == "\\ud83d"
    assert decoder.feed(b"\\n") == "\n"
    assert repr(decoder) == "<TextDecoder open=b''>"


@given(
    pieces=st.lists(st.text("ab é😀", max_size=9), max_size=12),
    limit=st.integers(0, 40),
)
def test_a_bounded_text_keeps_its_head_and_its_tail(pieces, limit):
    bounded, whole = BoundedText(limit), "".join(pieces)
    for piece in pieces:
        bounded.add(piece)
    head = limit - limit // 2
    assert bounded.size == len(whole)
    assert bounded.size_bytes == len(whole.encode())
    assert bounded.truncated is (len(whole) > limit)
    if len(whole) <= limit:
        assert bounded.value() == whole
    else:
        assert bounded.value() == whole[:head] + OMISSION + whole[len(whole) - limit // 2 :]
    for length in (0, 1, head):
        assert bounded.prefix(length) == whole[: min(length, head)]


def test_a_long_text_costs_no_more_than_its_limit():
    bounded = BoundedText(10_000)
    for _ in range(30):
        bounded.add("x" * 1000)
    for _ in range(5000):
        bounded.add("y")
    head, tail = bounded.parts()
    assert (len(head), len(tail)) == (5000, 5000)
    assert tail == "y" * 5000
    assert len(bounded._tail) <= 50
    assert bounded.prefix(4500) == "x" * 4500
    assert repr(bounded) == "<BoundedText 35000 chars, truncated=True>"


def test_a_list_keeps_the_first_texts_and_the_latest():
    texts = TextList(20)
    for number in range(20):
        texts.add(f"text-{number:02}")
    assert texts.values() == ("text-00", "text-19")
    assert texts.dropped == 18
    assert repr(texts) == "<TextList 2 kept, 18 dropped>"


def test_a_list_keeps_one_text_that_is_longer_than_its_room():
    texts = TextList(4)
    texts.add("much too long")
    assert texts.values() == ("much too long",)


def test_a_list_of_many_small_texts_is_bounded_too():
    texts = TextList(1 << 30)
    for _ in range(10_000):
        texts.add("x")
    assert len(texts.values()) == 8192


def test_a_list_that_joins_keeps_every_text_in_order():
    texts = TextList(1 << 30, joins=True)
    for number in range(10_000):
        texts.add(f"{number}.")
    kept = texts.values()
    assert len(kept) == 8193
    assert kept[4096] == "".join(f"{number}.\n" for number in range(4096, 5904))
    assert "".join(kept).replace("\n", "") == "".join(f"{number}." for number in range(10_000))


@pytest.mark.parametrize("limit", [20, 100_000])
@pytest.mark.parametrize("size", [0, 8, 9, 20, 21, 5000])
def test_the_ends_of_a_text_are_its_first_and_last_characters(limit, size):
    text = BoundedText(limit)
    whole = "".join(chr(97 + index % 26) for index in range(size))
    for start in range(0, size, 7):
        text.add(whole[start : start + 7])
    ends = text.ends(8)
    if size <= 8:
        assert ends == whole
    else:
        assert ends == f"{whole[:4]}\n{whole[-4:]}"
