"""Hostile and odd JSON through a whole exchange."""

from __future__ import annotations

import json

import pytest
from playbook import body, chunks, header_reply, headers

CAP = 20_000  # max_held_bytes of the playbook's configuration
QUESTION = b"the derivative of x^3? " * 140  # more than the budget: decided before the end


def routed(raw: bytes) -> bytes:
    return raw.replace(b'"auto"', b'"math-expert"', 1)


def deliver(play, raw: bytes, size: int = 5000) -> None:
    """Everything in pieces; the upstream has it with nothing but the name changed."""
    p = play()
    p >> headers()
    for at in range(0, len(raw), size):
        p >> body(raw[at : at + size])
        p.take()
    p >> body(end=True)
    p.take()
    assert p.most_held <= CAP + size
    p.done(routed(raw))


def with_content(content: bytes, after: bytes = b"") -> bytes:
    return b'{"model":"auto","messages":[{"role":"user","content":' + content + b"}]" + after + b"}"


def test_106_a_picture_in_a_data_uri_is_never_held(play):
    picture = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,' + b"QUJD" * 500_000
    parts = b'[{"type":"text","text":"' + QUESTION + b'"},' + picture + b'"}}]'
    deliver(play, with_content(parts), 60_000)


@pytest.mark.parametrize("size", [4999, 5000])
def test_107_escapes_and_backslashes_across_pieces(play, size):
    hostile = QUESTION + b'\\"' * 30_000 + b"\\\\" * 30_001
    deliver(play, with_content(b'"' + hostile + b'"'), size)


@pytest.mark.parametrize(
    "text",
    ["\u00e4\u20ac\U0001f600".encode(), b"\\ud83d\\ude00", b"\\ud83d alone"],
    ids=["utf-8", "surrogate pair", "lone surrogate"],
)
def test_108_characters_cut_at_every_byte(play, text):
    raw = with_content(b'"the derivative ' + text + b'"')
    for cut in range(raw.index(text), raw.index(text) + len(text) + 1):
        p = play()
        p >> headers() >> body(raw[:cut]) >> body(raw[cut:], end=True)
        p << [header_reply("math-expert"), chunks(routed(raw), end=True)]
        p.done(routed(raw))


def test_109_bytes_that_are_no_utf_8_are_forwarded_as_they_are(play):
    deliver(play, with_content(b'"' + QUESTION + b"\xff\xfe\xc3" + b'"'))


@pytest.mark.parametrize("bracket", [b"[]", b'{"a":}'], ids=["arrays", "objects"])
def test_110_a_hundred_thousand_levels_behind_the_decision(play, bracket):
    opening, closing = (b"[", b"]") if bracket == b"[]" else (b'{"a":', b"}")
    deep = b',"x":' + opening * 100_000 + b"1" + closing * 100_000
    deliver(play, with_content(b'"' + QUESTION + b'"', deep), 50_000)


def test_113_many_keys_and_a_huge_one(play):
    many = b"".join(b',"k%d":%d' % (n, n) for n in range(30_000))
    huge = b',"' + b"k" * 300_000 + b'":1'
    deliver(play, with_content(b'"' + QUESTION + b'"', many + huge), 50_000)


ASKED = "the derivative?"


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": ASKED}]}),
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": ASKED}]}]},
        ),
        (
            "chat/completions",
            {
                "messages": [
                    {"role": "user", "content": ASKED},
                    {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
                    {"role": "tool", "content": "7"},
                ]
            },
        ),
        ("responses", {"input": ASKED}),
        ("responses", {"input": [{"role": "user", "content": ASKED}]}),
        ("completions", {"prompt": ASKED}),
        ("completions", {"prompt": [ASKED]}),
        ("messages", {"max_tokens": 5, "messages": [{"role": "user", "content": ASKED}]}),
    ],
)
def test_114_the_question_is_found_in_every_shape(play, path, document):
    raw = json.dumps({"model": "auto", **document}).encode()
    p = play()
    p >> headers("/v1/" + path) >> body(raw, end=True)
    p << [header_reply("math-expert"), chunks(routed(raw), end=True)]
    p.done(routed(raw))


@pytest.mark.parametrize("number", [b"1e999999", b"-0", b"9" * 5000, b"0.1000"])
def test_115_numbers_stay_as_they_were_written(play, number):
    raw = with_content(
        b'"the derivative?"', b',"temperature":' + number + b',"x":[' + number + b"]"
    )
    p = play()
    p >> headers() >> body(raw, end=True)
    p.take()
    p.done(routed(raw))
