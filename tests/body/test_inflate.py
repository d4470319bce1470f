"""Compressed bodies: every coding, every cut, every damage, every cap."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import random
import tracemalloc
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from srd.body.inflate import Caps, InflateError, InflateLimit, Inflater, codings

BODY = (
    b'{"model":"auto","messages":[{"role":"user","content":"' + bytes(range(97, 120)) * 50 + b'"}]}'
)


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=5),
    "zstd": zstandard.compress,
}
PACKED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY, 1),
    "GZIP": gzip.compress(BODY[:9]) + gzip.compress(b"") + gzip.compress(BODY[9:]) + b"\0\0",
    "deflate": zlib.compress(BODY),
    "Deflate": raw_deflate(BODY),
    "br": brotli.compress(BODY),
    "zstd": zstandard.compress(BODY),
    "ZSTD": zstandard.compress(BODY[:9]) + zstandard.compress(BODY[9:]),
    "gzip, br": brotli.compress(gzip.compress(BODY)),
    "zstd,gzip": gzip.compress(zstandard.compress(BODY)),
    "identity": BODY,
    "": BODY,
    "gzip, identity": gzip.compress(BODY),
}


def inflate(encoding, data, cuts=(), *, limit=1000, **caps):
    inflater = Inflater(encoding, Caps(**caps))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    out = []
    for a, b in itertools.pairwise(edges):
        inflater.push(data[a:b])
        while piece := inflater.pull(limit):
            out.append(piece)
        assert inflater.idle
        assert inflater.waiting == 0
    inflater.finish()
    assert inflater.complete or not data
    return b"".join(out)


@pytest.mark.parametrize("encoding", PACKED)
def test_a_body_is_inflated_in_every_cut(encoding):
    data = PACKED[encoding]
    assert inflate(encoding, data) == BODY
    for cut in range(len(data)):
        assert inflate(encoding, data, [cut]) == BODY
    assert inflate(encoding, data, range(len(data))) == BODY
    assert inflate(encoding, data, limit=1) == BODY


def noise(size):
    return random.Random(1).randbytes(size).hex().encode()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, br", "br, br"])
@pytest.mark.parametrize("data", [b"a" * 500_000, noise(300_000), noise(2000) * 300])
def test_no_output_stays_inside_a_decoder(encoding, data):
    packed = data
    for name in encoding.split(", "):
        packed = PACKERS[name](packed)
    for limit in (1000, 65536, 1 << 20):
        assert inflate(encoding, packed, limit=limit) == data
    assert inflate(encoding, packed, range(0, len(packed), 700)) == data


def test_a_decoder_is_asked_for_no_more_than_is_wanted():
    for encoding in ("gzip", "deflate", "identity", ""):
        inflater = Inflater(encoding, Caps())
        inflater.push(PACKED[encoding])
        assert inflater.pull(5) == BODY[:5]
        assert not inflater.idle
    whole = Inflater("", Caps())
    whole.push(BODY)
    assert whole.pull(len(BODY)) is BODY
    assert whole.idle


def test_a_stream_is_complete_when_its_end_is_verified_and_not_before():
    for encoding in ("gzip", "x-gzip", "deflate", "zstd", "gzip, br"):
        data = PACKED[encoding]
        inflater = Inflater(encoding, Caps())
        for at in range(len(data)):
            assert not inflater.complete
            inflater.push(data[at : at + 1])
            while inflater.pull(1000):
                pass
        assert inflater.complete


def test_whoever_has_raised_raises_again():
    inflater = Inflater("gzip", Caps())
    inflater.push(b"no gzip at all")
    for call in (lambda: inflater.pull(10), lambda: inflater.pull(10), inflater.finish):
        with pytest.raises(InflateError, match="damaged gzip body"):
            call()
    short = Inflater("gzip", Caps())
    short.push(PACKED["gzip"][:-1])
    while short.pull(1000):
        pass
    for call in (short.finish, short.finish, lambda: short.pull(10)):
        with pytest.raises(InflateError, match="ends early"):
            call()


def test_a_zstd_window_that_costs_too_much_is_a_limit():
    parameters = zstandard.ZstdCompressionParameters(window_log=25)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(InflateLimit, match="8 MiB"):
        inflate("zstd", packer.compress(noise(10_000_000)) + packer.flush())


@pytest.mark.parametrize("encoding", [name for name in PACKED if name not in ("identity", "")])
def test_a_body_that_ends_early_is_refused(encoding):
    data = PACKED[encoding].rstrip(b"\0") if encoding == "GZIP" else PACKED[encoding]
    for missing in (1, 2, 5, len(data) // 2, len(data) - 1):
        with pytest.raises(InflateError):
            inflate(encoding, data[:-missing])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, br"])
@given(data=st.binary(min_size=1, max_size=60))
def test_bytes_that_were_never_compressed_raise_nothing_else(encoding, data):
    with contextlib.suppress(InflateError, InflateLimit):
        inflate(encoding, data)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_data_behind_a_body_is_refused(encoding):
    with pytest.raises(InflateError):
        inflate(encoding, PACKED[encoding] + b"more")
    with pytest.raises(InflateError):
        inflate(encoding, PACKED[encoding] + b"more", [len(PACKED[encoding])])


def test_a_damaged_byte_is_noticed():
    for encoding in ("gzip", "deflate"):
        data = bytearray(PACKED[encoding])
        data[-1] ^= 1
        with pytest.raises(InflateError, match=f"damaged {encoding} body"):
            inflate(encoding, bytes(data))


BOMB = b"\0" * 30_000_000
BOMBS = {
    "gzip": gzip.compress(BOMB),
    "deflate": zlib.compress(BOMB),
    "br": brotli.compress(BOMB, quality=3),
    "zstd": zstandard.compress(BOMB),
    "gzip, gzip": gzip.compress(gzip.compress(BOMB)),
    "br, zstd": zstandard.compress(brotli.compress(BOMB, quality=3)),
}


def exhaust(inflater):
    while inflater.pull(65536):
        pass


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_bomb_is_stopped_by_either_cap_before_it_is_in_memory(encoding):
    for caps in (Caps(max_bytes=1_000_000), Caps(max_ratio=20)):
        inflater = Inflater(encoding, caps)
        inflater.push(BOMBS[encoding])
        tracemalloc.start()
        try:
            with pytest.raises(InflateLimit):
                exhaust(inflater)
            assert tracemalloc.get_traced_memory()[1] < 6_000_000
        finally:
            tracemalloc.stop()


def test_a_long_chat_that_repeats_itself_is_no_bomb():
    turn = b'{"role":"user","content":"' + noise(100_000) + b'"},'
    chat = b'{"messages":[' + turn * 60 + b"1]}"
    packed = zstandard.compress(chat)
    assert len(chat) > 11_000_000 > len(packed) * 50
    assert inflate("zstd", packed, limit=65536) == chat


def test_a_cap_is_exact():
    for encoding in ("gzip", "deflate", "br", "zstd"):
        assert inflate(encoding, PACKED[encoding], max_bytes=len(BODY)) == BODY
        with pytest.raises(InflateLimit):
            inflate(encoding, PACKED[encoding], max_bytes=len(BODY) - 1)


def test_caps_do_not_concern_what_is_not_compressed():
    assert inflate("identity", BODY, max_bytes=1) == BODY


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        ("gzip", ("gzip",)),
        (" GZip , BR ", ("gzip", "br")),
        ("identity", ()),
        ("compress", None),
        ("gzip, lzma", None),
        ("gzip, br, zstd", None),
        ("gzip;q=1", None),
    ],
)
def test_codings_are_read_from_the_header(value, expected):
    assert codings(value) == expected
    if expected is None:
        with pytest.raises(ValueError, match="unknown content-encoding"):
            Inflater(value, Caps())


def test_nothing_at_all_is_an_empty_body():
    assert inflate("gzip", b"") == b""
    assert repr(Inflater("gzip, br", Caps())) == "<Inflater gzip+br 0 -> 0>"
