"""The brace that waits for the decoder."""

from __future__ import annotations

import pytest

from srd.body.latch import LIMIT, Latch


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b"", b""),
        (b'{"a":1', b'{"a":1'),
        (b'{"a":1}', b'{"a":1'),
        (b'{"a":{"b":1}}', b'{"a":{"b":1}'),
        (b'{"a":{}} \r\n', b'{"a":{}'),
        (b'{"a":1} x', b'{"a":1} x'),
        (b" \n ", b" \n "),
        (b'{"a":"}', b'{"a":"'),
    ],
)
def test_only_a_brace_that_blanks_follow_waits_in_every_cut(data, left):
    for size in (1, 2, 3, 100):
        latch = Latch()
        out = b"".join(latch.feed(data[at : at + size]) for at in range(0, len(data), size))
        assert out == left
        assert latch.held == len(data) - len(left)
        assert out + latch.release() == data
        assert latch.held == 0


def test_a_piece_without_a_brace_at_its_end_is_not_copied():
    piece = b"x" * 1000
    assert Latch().feed(piece) is piece


def test_of_the_space_behind_a_brace_only_so_much_is_held():
    latch = Latch()
    out = latch.feed(b"{}" + b" " * 10) + latch.feed(b"\n" * 3 * LIMIT)
    assert latch.held == LIMIT + 1
    out += latch.release()
    assert b"".join(out.split()) == b"{}"
    assert sorted(out) == sorted(b"{}" + b" " * 10 + b"\n" * 3 * LIMIT)
    assert repr(latch) == "<Latch held=0>"
