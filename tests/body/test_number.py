"""Numbers, byte by byte."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from srd.body.number import COMPLETE, Number, next_state


def accepts(text):
    state = Number.SIGN
    for index, byte in enumerate(text.encode()):
        if index == 0 and byte == ord("-"):
            continue  # the scanner takes the sign
        following = next_state(state, byte)
        if following is None:
            return False
        state = following
    return state in COMPLETE


@given(st.text("0123456789-+.eE", min_size=1, max_size=8))
@settings(max_examples=1500)
def test_numbers_are_what_the_json_module_takes_for_numbers(text):
    try:
        json.loads(text)
        expected = True
    except ValueError:
        expected = False
    assert accepts(text) is expected


def test_a_number_ends_at_any_other_byte():
    for state in Number:
        assert all(next_state(state, byte) is None for byte in b' ,]}":abx\x00\xff')
