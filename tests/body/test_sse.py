"""Answers that pass by: frames across chunk borders, and what they say of usage."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.body.sse import MAX_BODY, MAX_FRAME, SseReader, UsageReader

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


def events(data, cuts=(), **options):
    reader = SseReader(**options)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [
        event for start, end in itertools.pairwise(edges) for event in reader.feed(data[start:end])
    ]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_events_do_not_depend_on_the_chunks(newline):
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
    assert events(data, cuts, max_frame=16) == events(data, max_frame=16)


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert events(b"\xef\xbb\xbfdata: a\n\n", range(9)) == [b"a"]


def test_an_unfinished_event_is_not_told():
    assert events(b"data: a\n") == []


def test_a_frame_over_the_bound_is_skipped_and_not_held():
    reader = SseReader(max_frame=100)
    assert list(reader.feed(b"data: ")) == []
    for _ in range(50):
        assert list(reader.feed(b"x" * 90)) == []
        assert len(reader._line) <= 100
    assert list(reader.feed(b"\ndata: tail\n\ndata: ok\n\n")) == [b"ok"]
    assert reader.skipped == 1
    many = b"data: 0123456789\n" * 20
    assert list(reader.feed(many + b"\ndata: ok\n\n")) == [b"ok"]
    assert repr(reader) == "<SseReader held=0 skipped=2>"


def frame(document):
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def observe(data, *, streamed, cuts=()):
    reader = UsageReader(streamed=streamed)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        reader.feed(data[start:end])
    reader.finish()
    return (
        reader.model,
        reader.prompt_tokens,
        reader.completion_tokens,
        reader.cached_tokens,
        reader.finish_reason,
        reader.done,
    )


USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 22,
    "prompt_tokens_details": {"cached_tokens": 5},
}
CHAT = (
    frame({"model": "m", "choices": [{"delta": {"role": "assistant"}}]})
    + frame({"model": "m", "choices": [{"delta": {"content": "hi"}, "finish_reason": None}]})
    + frame({"model": "m", "choices": [{"delta": {}, "finish_reason": "stop"}]})
    + frame({"model": "m", "choices": [], "usage": USAGE})
    + b"data: [DONE]\n\n"
)
ANTHROPIC = (
    b"event: message_start\n"
    + frame({"type": "message_start", "message": {"model": "c", "usage": {
        "input_tokens": 7, "output_tokens": 1, "cache_read_input_tokens": 3}}})
    + frame({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}})
    + frame({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
             "usage": {"output_tokens": 9}})
    + frame({"type": "message_stop"})
)  # fmt: skip
RESPONSES = (
    frame({"type": "response.created", "response": {
        "object": "response", "model": "r", "status": "in_progress", "usage": None}})
    + frame({"type": "response.output_text.delta", "delta": "usage"})
    + frame({"type": "response.completed", "response": {
        "object": "response", "model": "r", "status": "completed", "usage": {
            "input_tokens": 3, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 0}}}})
)  # fmt: skip


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (CHAT, ("m", 11, 22, 5, "stop", True)),
        (ANTHROPIC, ("c", 7, 9, 3, "end_turn", True)),
        (RESPONSES, ("r", 3, 4, 0, "completed", True)),
    ],
    ids=["chat", "anthropic", "responses"],
)
def test_a_stream_tells_its_usage_in_every_cut(stream, expected):
    assert observe(stream, streamed=True) == expected
    for cut in range(0, len(stream), 3):
        assert observe(stream, streamed=True, cuts=[cut]) == expected
    assert observe(stream, streamed=True, cuts=range(len(stream))) == expected
    assert observe(stream.replace(b"\n", b"\r\n"), streamed=True) == expected


def test_a_stream_without_its_last_blank_line_still_tells():
    stream = frame({"model": "m", "usage": USAGE}).rstrip(b"\n")
    assert observe(stream, streamed=True)[:3] == ("m", 11, 22)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"model": "m", "choices": [{"finish_reason": "length"}], "usage": USAGE},
            ("m", 11, 22, 5, "length", False),
        ),
        (
            {"model": "c", "stop_reason": "max_tokens", "usage": {"input_tokens": 1}},
            ("c", 1, None, None, "max_tokens", False),
        ),
        (
            {"model": 1, "usage": {"prompt_tokens": "x", "completion_tokens": True}},
            (None, None, None, None, None, False),
        ),
        ({"usage": [], "choices": {}, "message": 3}, (None, None, None, None, None, False)),
        ([1], (None, None, None, None, None, False)),
    ],
)
def test_an_answer_in_one_piece_tells_its_usage(document, expected):
    data = json.dumps(document).encode()
    assert observe(data, streamed=False) == expected
    assert observe(data, streamed=False, cuts=range(len(data))) == expected


@pytest.mark.parametrize(
    "data", [b"", b"not json", b"\xff\xfe", b"[" * 100_000, b'{"usage":' + b"9" * 10_000 + b"}"]
)
def test_an_answer_that_makes_no_sense_raises_nothing(data):
    assert observe(data, streamed=False) == (None,) * 5 + (False,)
    assert observe(b"data: " + data + b"\n\n", streamed=True) == (None,) * 5 + (False,)


def test_an_answer_over_the_bound_is_not_held():
    reader = UsageReader(streamed=False)
    for _ in range(20):
        reader.feed(b"x" * (MAX_BODY // 10))
        assert len(reader._body) <= MAX_BODY
    assert reader.skipped == 1
    reader.finish()
    assert repr(reader) == "<UsageReader None None+None>"


def test_a_frame_over_the_bound_costs_only_its_own_news():
    stream = frame({"model": "m", "x": "y" * MAX_FRAME}) + frame({"model": "m", "usage": USAGE})
    reader = UsageReader(streamed=True)
    reader.feed(stream)
    assert (reader.skipped, reader.prompt_tokens) == (1, 11)
