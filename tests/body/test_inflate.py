"""Compressed bodies: every coding, every cut, every damage, every cap."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import tracemalloc
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from srd.body.inflate import InflateError, InflateLimit, Inflater, codings

BODY = (
    b'{"model":"auto","messages":[{"role":"user","content":"' + bytes(range(97, 120)) * 50 + b'"}]}'
)


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


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


def inflate(encoding, data, cuts=(), *, max_output=1 << 20, max_ratio=1000):
    inflater = Inflater(encoding, max_output=max_output, max_ratio=max_ratio)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    out = [inflater.feed(data[a:b]) for a, b in itertools.pairwise(edges)]
    return b"".join(out) + inflater.finish()


@pytest.mark.parametrize("encoding", PACKED)
def test_a_body_is_inflated_in_every_cut(encoding):
    data = PACKED[encoding]
    assert inflate(encoding, data) == BODY
    for cut in range(len(data)):
        assert inflate(encoding, data, [cut]) == BODY
    assert inflate(encoding, data, range(len(data))) == BODY


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


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_bomb_is_stopped_by_either_cap_before_it_is_in_memory(encoding):
    for caps in ({"max_output": 1_000_000}, {"max_output": 1 << 40, "max_ratio": 20}):
        tracemalloc.start()
        try:
            with pytest.raises(InflateLimit):
                inflate(encoding, BOMBS[encoding], **caps)
            assert tracemalloc.get_traced_memory()[1] < 6_000_000
        finally:
            tracemalloc.stop()


def test_a_cap_is_exact():
    for encoding in ("gzip", "deflate", "br", "zstd", "identity"):
        assert inflate(encoding, PACKED[encoding], max_output=len(BODY)) == BODY
        with pytest.raises(InflateLimit):
            inflate(encoding, PACKED[encoding], max_output=len(BODY) - 1)


def test_without_the_output_cap_only_the_ratio_holds():
    inflater = Inflater("gzip", max_output=10, max_ratio=1000)
    inflater.uncap()
    assert inflater.feed(PACKED["gzip"]) == BODY
    with pytest.raises(InflateLimit, match="more than 1000 times"):
        inflater.feed(BOMBS["gzip"])


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
            Inflater(value, max_output=1, max_ratio=1)


def test_nothing_at_all_is_an_empty_body():
    assert inflate("gzip", b"") == b""
    assert repr(Inflater("gzip, br", max_output=1, max_ratio=1)) == "<Inflater gzip+br 0 -> 0>"
