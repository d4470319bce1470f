"""Server-sent events across the borders of pieces: whole where they are small, else in pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.body.sse import SseSplitter

STREAM = (
    b": hello\n\n"
    b'data: {"a":1}\n\n'
    b"event: x\nid: 7\ndata: one\ndata:two\ndata\n\n"
    b"database: no\n\n"
    b"data:  spaced\n\n"
    b"retry: 5\n\n"
    b"data: [DONE]\n\n"
)
EVENTS = [b'{"a":1}', b"one\ntwo\n", b" spaced", b"[DONE]"]


class Heard:
    """Events as they were told; a large one is a list of one."""

    def __init__(self):
        self.events = []
        self.pieces = []

    def whole(self, data):
        self.events.append(data)

    def piece(self, data):
        assert data
        self.pieces.append(data)

    def end(self):
        self.events.append([b"".join(self.pieces)])
        self.pieces.clear()


def events(data, cuts=(), *, finish=False, **options):
    heard = Heard()
    splitter = SseSplitter(heard, **options)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        splitter.feed(data[start:end])
    if finish:
        splitter.finish()
    return heard.events


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_events_do_not_depend_on_the_cut(newline):
    data = STREAM.replace(b"\n", newline)
    for cut in range(len(data)):
        assert events(data, [cut]) == EVENTS
    assert events(data, range(len(data))) == EVENTS


@given(
    data=st.lists(
        st.sampled_from([b"data:", b"a", b"\n", b"\r", b"\r\n", b" ", b":", b"x" * 20]), max_size=20
    ).map(b"".join),
    cuts=st.lists(st.integers(0, 60), max_size=5),
)
def test_any_mix_of_line_ends_gives_the_same_events_in_every_cut(data, cuts):
    whole = events(data, hold=16, finish=True)
    assert events(data, cuts, hold=16, finish=True) == whole
    # What is large is a matter of size: the same data, told in pieces or not.
    flat = [event[0] if isinstance(event, list) else event for event in whole]
    assert flat == events(data, hold=1000, finish=True)


def test_an_unfinished_event_is_told_only_at_the_end_of_the_stream():
    assert events(b"data: a\n") == []
    assert events(b"data: a\n", finish=True) == [b"a"]
    assert events(b"data: a", finish=True) == [b"a"]


def test_a_large_event_is_told_in_pieces_and_not_held():
    heard = Heard()
    splitter = SseSplitter(heard, hold=100)
    splitter.feed(b"data: ")
    for _ in range(50):
        splitter.feed(b"x" * 90)
        assert splitter.held <= 200
    splitter.feed(b"\ndata: tail\n\ndata: ok\n\n")
    assert heard.events == [[b"x" * 4500 + b"\ntail"], b"ok"]
    assert repr(splitter) == "<SseSplitter held=0>"


def test_many_lines_make_a_large_event_too():
    assert events(b"data: 0123456789\n" * 20 + b"\ndata: ok\n\n", hold=100) == [
        [b"\n".join([b"0123456789"] * 20)],
        b"ok",
    ]


def test_a_long_line_of_another_field_is_not_held():
    heard = Heard()
    splitter = SseSplitter(heard, hold=100)
    splitter.feed(b"data: a\n: ")
    for _ in range(50):
        splitter.feed(b"x" * 90)
        assert splitter.held <= 200
    splitter.feed(b"\n\n")
    assert heard.events == [b"a"]


@pytest.mark.parametrize(
    ("data", "between"),
    [
        (b"", True),
        (b"data: a\n\n", True),
        (b"data: a\r\n\r\n", True),
        (b"data: a\r\r", False),  # a LF may follow
        (b"data: a\n", False),
        (b"d", False),
        (b"data: " + b"x" * 200, False),
        (b"data: " + b"x" * 200 + b"\n", False),
        (b": " + b"x" * 200, False),
    ],
)
def test_it_tells_whether_it_stands_between_two_events(data, between):
    splitter = SseSplitter(Heard(), hold=100)
    splitter.feed(data)
    assert splitter.between is between
