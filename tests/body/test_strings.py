"""Ends of strings: the strict and the loose finder, in every cut."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd.body.strings import Invalid, LooseFinder, StrictFinder

PIECES = st.sampled_from(
    [b"a", b"\\\\", b'\\"', b"\\n", b"\\u00e9", b"\\ud83d", "é".encode(), b"x" * 200, b"\\", b"\n"]
)


def find(finder, data, cuts=()):
    """The quote's offset, or the failure, when `data` arrives cut."""
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        if start == end:
            continue
        try:
            quote = finder.find(data[start:end], 0)
        except Invalid as error:
            return start + error.at, error.problem
        if quote >= 0:
            return start + quote
    return -1


@given(parts=st.lists(PIECES, max_size=12), cuts=st.lists(st.integers(0, 60), max_size=5))
@settings(max_examples=400)
def test_the_strict_finder_agrees_with_the_json_module_in_every_cut(parts, cuts):
    body = b"".join(parts)
    data = body + b'" tail'
    found = find(StrictFinder(), data)
    assert find(StrictFinder(), data, cuts) == found
    try:
        text, end = json.JSONDecoder().raw_decode('"' + data.decode())
    except ValueError:
        assert found == -1 or not isinstance(found, int)
    else:
        assert isinstance(text, str)
        assert len(('"' + data.decode())[:end].encode()) - 2 == found


@given(parts=st.lists(PIECES, max_size=12), cuts=st.lists(st.integers(0, 60), max_size=5))
def test_the_loose_finder_agrees_with_the_strict_one_on_valid_strings(parts, cuts):
    data = b"".join(parts) + b'"'
    strict = find(StrictFinder(), data)
    if isinstance(strict, int):
        assert find(LooseFinder(), data) == strict
        assert find(LooseFinder(), data, cuts) == strict


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 16, 100, 1001])
@pytest.mark.parametrize("finder", [StrictFinder, LooseFinder])
def test_backslashes_before_a_quote_are_counted_across_every_cut(count, finder):
    data = b"a" + b"\\" * count + b'"b"'
    expected = len(data) - (1 if count % 2 else 3)
    for cut in {*range(min(20, len(data))), *range(max(0, len(data) - 20), len(data))}:
        assert find(finder(), data, [cut]) == expected


def test_many_escaped_quotes_are_passed_over_by_the_loose_finder():
    data = b'\\"' * 100 + b'"'
    assert find(LooseFinder(), data) == 200
    assert find(LooseFinder(), data, [33, 77, 150]) == 200
    assert find(LooseFinder(), data[:-1]) == -1
    assert find(LooseFinder(), data[:-2]) == -1
    assert find(LooseFinder(), data, [199]) == 200


def test_a_long_plain_string_is_searched_for_control_characters():
    plain = b"x" * 1000
    assert find(StrictFinder(), plain + b'"') == 1000
    assert find(StrictFinder(), plain + b"\x1f" + plain + b'"') == (
        1000,
        "a control character in a string",
    )
    assert find(StrictFinder(), plain + b"\x7f\xff" + b'"') == 1002
