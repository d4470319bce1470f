from __future__ import annotations

import json

import pytest

from srd.cli.diff import changes


def applied(before, found):
    """`before` with every change made, each at its offset."""
    out, at = b"", 0
    for offset, old, new in found:
        assert before[offset : offset + len(old)] == old
        out += before[at:offset] + new
        at = offset + len(old)
    return out + before[at:]


PAIRS = [
    (b"", b""),
    (b"", b"{}"),
    (b"{}", b""),
    (b'{"a":1}', b'{"a":1}'),
    (b'{"a":1,"b":2}', b'{"b":2}'),
    (b'{"b":2}', b'{"a":1,"b":2}'),
    (b'{"m":[{"r":1},{"r":1}]}', b'{"m":[{"r":1},{"r":1},{"r":1}]}'),
    (b'["x","x","x","x","x"]', b'["x","x"]'),
    (b' { "a" : "\\"" } ', b' { "a" : "\\\\" } '),
    (b'{"a":"unfinished', b'{"a":"other'),
    (b"[1,2,3,4,5,6,7,8,9]", b"[9,8,7,6,5,4,3,2,1]"),
    (b'{"a":"\xff"}', b'{"a":"\xfe"}'),
]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_changes_turn_one_text_into_the_other(before, after):
    assert applied(before, changes(before, after)) == after


def test_changes_name_offset_old_and_new_and_nothing_else():
    before, after = b'{"a":1,"model":"auto","b":[1e400]}', b'{"a":1,"model":"m","b":[1e400],"c":2}'
    assert list(changes(before, after)) == [(15, b'"auto"', b'"m"'), (33, b"", b',"c":2')]
    assert list(changes(before, before)) == []


def test_an_inserted_message_is_shown_whole():
    before = b'{"messages":[{"role":"user","content":"a"}]}'
    message = b'{"role":"system","content":"s"},'
    after = before.replace(b"[", b"[" + message)
    assert list(changes(before, after)) == [(13, b"", message)]


def test_one_member_for_another_is_one_change():
    before, after = b'{"a":1,"effort":"low"}', b'{"a":1,"kwargs":{"on":true}}'
    assert list(changes(before, after)) == [(7, b'"effort":"low"', b'"kwargs":{"on":true}')]


def test_changes_at_both_ends_of_a_long_text_cost_no_more_than_its_length():
    turns = [["a", number, {"x": [number] * 3}] for number in range(50_000)]
    before = json.dumps({"model": "auto", "turns": turns}).encode()
    after = before.replace(b'"auto"', b'"m"')[:-1] + b',"z":1}'
    assert list(changes(before, after)) == [
        (10, b'"auto"', b'"m"'),
        (len(before) - 1, b"", b',"z":1'),
    ]


def test_a_change_longer_than_the_reach_is_one_change():
    before = b'{"a":1,"b":[' + b",".join([b"7"] * 5000) + b'],"c":2}'
    after = b'{"a":1,"c":2}'
    [change] = changes(before, after)
    assert applied(before, [change]) == after
