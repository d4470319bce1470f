"""Usage is what the client saw: every form, framing, coding, size and cut."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import zlib

import brotli
import pytest
import zstandard
from corpus.answers import CODINGS, forms, oracle, sse

from srd.body.figures import Figures
from srd.body.sse import HOLD
from srd.body.usage import MAX_PLAIN, Documents, UsageReader

SMALL = forms('ümläut "usage" \\ {"usage":{"prompt_tokens":99}}')
CHAT = SMALL["chat stream"][0]
TYPES = ("text/event-stream", "application/json; charset=utf-8", "text/plain", "")


def pieces(data, cuts):
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def read(data, cuts=(), *, kind="application/json", coding=""):
    reader = UsageReader(content_type=kind, content_encoding=coding)
    for piece in pieces(data, cuts):
        reader.feed(piece)
    return reader, reader.finish()


def observe(data, cuts=(), **how):
    figures = read(data, cuts, **how)[0].figures
    return (
        figures.prompt_tokens,
        figures.completion_tokens,
        figures.cached_tokens,
        figures.cache_write_tokens,
        figures.model,
    )


@pytest.mark.parametrize("name", SMALL)
def test_every_form_tells_what_python_reads_in_it_in_every_cut(name):
    body, events = SMALL[name]
    expected = oracle(body, events=events)
    assert observe(body) == expected
    for cut in range(len(body)):
        assert observe(body, [cut]) == expected
    assert observe(body, range(len(body))) == expected


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("kind", TYPES)
def test_the_content_type_does_not_decide(name, kind):
    body, events = SMALL[name]
    reader, _ = read(body, kind=kind)
    assert reader.streamed is events
    assert observe(body, kind=kind) == oracle(body, events=events)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("front", [b"", b"\xef\xbb\xbf", b"\n\n", b": hello\n\n", b"retry: 3\n\n"])
def test_line_ends_marks_and_comments_change_nothing(newline, front):
    expected = oracle(CHAT, events=True)
    body = (front + CHAT).replace(b"\n", newline)
    for cut in range(len(body)):
        assert observe(body, [cut]) == expected
    assert observe(body.rstrip(b"\r\n")) == expected


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", SMALL)
def test_every_coding_tells_the_same(name, coding):
    body, events = SMALL[name]
    packed = CODINGS[coding](body)
    expected = oracle(body, events=events)
    assert observe(packed, coding=coding) == expected
    for cut in range(0, len(packed), 7):
        assert observe(packed, [cut], coding=coding) == expected


@pytest.mark.parametrize("size", [HOLD - 200, HOLD, 70_000, 1_500_000])
@pytest.mark.parametrize("coding", ["", "gzip", "zstd"])
def test_no_size_loses_the_usage(size, coding):
    words = random.Random(size)
    text = "".join(words.choice('ab "\\\n{}[]:,ü') for _ in range(size // 2))
    large = size > 100_000  # the forms that differ in what is large
    for name, (body, events) in forms(text).items():
        if large and name not in ("chat", "chat stream", "responses stream", "ollama"):
            continue
        expected = oracle(body, events=events)
        packed = CODINGS[coding](body)
        for step in (16_384, len(packed)):
            cuts = range(step, len(packed), step)
            assert observe(packed, cuts, coding=coding) == expected, name


@pytest.mark.parametrize("name", ["chat", "chat stream", "anthropic stream"])
def test_a_body_is_not_held(name):
    body, _ = forms("x" * 3_000_000)[name]
    reader = UsageReader(content_type="", content_encoding="")
    for start in range(0, len(body), 5000):
        reader.feed(body[start : start + 5000])
        assert reader._events.held <= 2 * HOLD
    assert reader.figures.prompt_tokens is not None


def test_fresh_cached_and_written_mean_the_same_for_every_api():
    def split(name):
        figures = read(SMALL[name][0])[0].figures
        return figures.fresh_tokens, figures.cached_tokens, figures.cache_write_tokens

    assert split("chat stream") == (6, 5, None)  # OpenAI's 11 has the cached ones in it
    assert split("responses stream") == (2, 1, None)
    assert split("anthropic stream") == (12, 300, 40)  # Anthropic's 12 has not
    assert split("bedrock stream") == (6, 2, None)
    assert split("gemini") == (5, 4, None)
    assert split("deepseek") == (10, 20, None)
    assert split("no usage") == (None, None, None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("chat", "stop"),
        ("chat stream", "stop"),
        ("responses", "completed"),
        ("responses stream", "completed"),
        ("anthropic", "max_tokens"),
        ("anthropic stream", "end_turn"),
        ("gemini stream", "STOP"),
    ],
)
def test_an_answer_says_how_it_ended(name, reason):
    body, _ = SMALL[name]
    for cut in range(0, len(body), 5):
        assert read(body, [cut])[0].figures.finish_reason == reason


def test_an_answer_that_was_cut_off_tells_what_came():
    body = SMALL["anthropic stream"][0]
    start = body.index(b"event: content_block_delta")
    assert observe(body[:start])[:4] == (12, 1, 300, 40)
    assert read(body[:start])[0].figures.finish_reason is None
    # Half a number is none.
    assert observe(b'{"usage":{"prompt_tokens":12,"completion_tokens":34')[:2] == (12, None)


def test_figures_inside_the_answer_are_not_its_usage():
    fake = {"usage": {"prompt_tokens": 7777}, "model": "fake"}
    told = {"choices": [{"message": {"content": json.dumps(fake), "tool_calls": [fake]}}]}
    for body in (
        json.dumps({**told, "model": "m"}).encode(),
        sse({**told, "model": "m"}),
        sse({"output": [fake], "data": fake, "metadata": fake, "model": "m"}),
        b"plain words\n" + sse(fake),  # not events: it begins as neither
    ):
        assert 7777 not in observe(body)
        assert observe(body)[4] != "fake"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_damaged_body_is_not_observed(coding):
    body, _ = forms("".join(random.Random(1).choice("abcdefgh ") for _ in range(9000)))["chat"]
    front, back = json.dumps({"usage": {"prompt_tokens": 1}}).encode(), body
    packed = bytearray(CODINGS[coding](front + b"\n" + back))
    if coding in ("br", "zstd"):
        packed[len(packed) // 2 :] = b"\x00\xff" * (len(packed) // 4)
    else:
        packed[-1] ^= 0xFF  # of the checksum
    assert observe(bytes(packed), coding=coding) == (None,) * 5
    assert observe(body, coding=coding) == (None,) * 5  # not packed at all


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_packed_body_that_ends_early_says_so_and_keeps_its_figures(coding):
    makers = {
        "gzip": lambda: zlib.compressobj(wbits=31),
        "deflate": zlib.compressobj,
        "br": brotli.Compressor,
        "zstd": lambda: zstandard.ZstdCompressor().compressobj(),
    }
    packer = makers[coding]()
    body = SMALL["chat stream"][0]
    if coding == "br":
        packed = packer.process(body) + packer.flush()
    elif coding == "zstd":
        packed = packer.compress(body) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    else:
        packed = packer.compress(body) + packer.flush(zlib.Z_SYNC_FLUSH)
    reader, whole = read(packed, coding=coding)
    assert (reader.figures.prompt_tokens, whole) == (11, False)
    assert read(CODINGS[coding](body), coding=coding)[1] is True


def test_a_bomb_is_not_observed():
    bomb = gzip.compress(b'{"usage":{"prompt_tokens":1},"x":"' + b"a" * (MAX_PLAIN + 100_000))
    assert observe(bomb, coding="gzip") == (None,) * 5


@pytest.mark.parametrize("coding", ["aws-chunked", "gzip, gzip, gzip", "compress"])
def test_a_coding_that_we_cannot_read_is_not_observed(coding):
    assert observe(SMALL["chat"][0], coding=coding) == (None,) * 5


@pytest.mark.parametrize("kind", ["image/png", "audio/mpeg", "Video/mp4"])
def test_pictures_and_sounds_are_not_looked_at(kind):
    assert observe(SMALL["chat"][0], kind=kind) == (None,) * 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not json",
        b"<html>",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"usage":' * 100_000,
        b'{"message":' * 5000,
        b'{"usage":' + b"9" * 10_000 + b"}",
        b'{"usage":{"prompt_tokens":' + b"9" * 401 + b"}}",
        b'{"usage":{"prompt_tokens":' + b"9" * 5000 + b"}}",
        b'{"usage":{"prompt_tokens":1e999,"completion_tokens":1e-9}}',
        b'{"usage":[],"choices":{},"message":3,"x_groq":[],"model":{}}',
        b'{"usage":{"prompt_tokens":-1,"completion_tokens":-0.0}}',
        b'{"usage":{"prompt_tokens":true,"completion_tokens":null}}',
        b'{"usage":{"prompt_tokens":NaN}}',
        b'{"usage":{"prompt_tokens":"NaN","completion_tokens":"1_0"}}',
        b'{"usage":{"prompt_tokens":10.5,"completion_tokens":"x"}}',
        b'{"usage":{"prompt_tokens":{"a":1},"completion_tokens":[1]}}',
        b'{"usage":{"prompt_tokens":"' + b"1" * 20_000 + b'"}}',
        b'["a", 1, [], null]',
    ],
)
def test_nonsense_raises_nothing_and_counts_nothing(data):
    for body in (data, b"data: " + data + b"\n\n"):
        assert observe(body) == (None,) * 5
        assert observe(body, range(0, len(body), 997)) == (None,) * 5


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        (b"0", 0),
        (b"10", 10),
        (b"10.0", 10),
        (b'"10"', 10),
        (b'" 10 "', 10),
        (b'"10.0"', 10),
        (b"1e2", 100),
        (b"9007199254740991", 9007199254740991),
        (b"9007199254740992", None),
        (b'"\xd9\xa1"', None),  # a digit, and not one of JSON's
        (b'"\xc2\xb2"', None),
    ],
)
def test_numbers_count_as_they_are_written(raw, count):
    body = b'{"usage":{"prompt_tokens":' + raw + b"}}"
    assert observe(body)[0] == count
    assert observe(b"data: " + body + b"\n\n")[0] == count


def test_documents_may_stand_side_by_side_and_one_broken_line_costs_only_itself():
    lines = [b'{"usage":{"prompt_tokens":3}}{"usage":{"completion_tokens":4}}', b'{"a":oops}',
             b"{}", b'{"usage":{"cached_tokens":2}}']  # fmt: skip
    body = b"\n".join(lines)
    for cut in range(len(body)):
        assert observe(body, [cut])[:3] == (3, 4, 2)


def test_many_small_documents_cost_no_more_than_their_bytes():
    copied = []

    class Counted(bytes):
        def __getitem__(self, at):
            found = bytes.__getitem__(self, at)
            if isinstance(at, slice):
                copied.append(len(found))
            return found

    figures = Figures()
    Documents(figures).feed(Counted(b"{}" * 50_000))
    assert copied == []
    data = Counted(b'{"usage":{"input_tokens":1}}' * 5000)
    Documents(figures).feed(data)
    assert len(copied) == 5000
    assert sum(copied) <= len(data) + 5000 * 4096
    assert figures.prompt_tokens == 1


def test_reading_a_small_event_says_the_same_as_listening_to_it():
    for name, (body, events) in SMALL.items():
        if events:
            padded = body.replace(b"\n\n", b"\ndata: " + b" " * HOLD + b"\n\n")
            assert observe(padded) == observe(body), name


def test_the_repr_tells_what_was_seen():
    assert repr(read(CHAT)[0]) == "<UsageReader EVENTS <Figures m 11+22>>"
