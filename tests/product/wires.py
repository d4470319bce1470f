"""What a client makes of a body on its way: coded, and cut into messages.

Why this file exists: codings and cuts are axes of their own, the same for every body. It must not
know srd.
"""

from __future__ import annotations

import gzip
import itertools
import random
import zlib
from collections.abc import Sequence

import brotli
import zstandard

_EDGE = 24


def encoded(plain: bytes, encoding: str, seed: int) -> tuple[bytes, str | None]:
    """The body as it is sent, and its content-encoding header if it has one."""
    rng = random.Random(f"encode {seed}")
    level = rng.choice((1, 6, 9))
    match encoding:
        case "":
            return plain, rng.choice((None, None, "identity"))
        case "gzip" | "GZIP" | "identity, gzip":
            return _gzip(plain, level, rng), encoding
        case "deflate":
            return zlib.compress(plain, level), encoding
        case "raw deflate":
            packer = zlib.compressobj(level, wbits=-15)
            return packer.compress(plain) + packer.flush(), "deflate"
        case "br":
            return brotli.compress(plain, quality=rng.choice((1, 5))), encoding
        case "zstd":
            return _zstd(plain, rng), encoding
        case "gzip, br":
            return brotli.compress(_gzip(plain, level, rng), quality=1), encoding
    raise ValueError(encoding)


def _gzip(plain: bytes, level: int, rng: random.Random) -> bytes:
    if rng.random() < 0.2:  # two members are one body
        at = rng.randrange(len(plain))
        return gzip.compress(plain[:at], level, mtime=0) + gzip.compress(plain[at:], 1, mtime=0)
    return gzip.compress(plain, level, mtime=0)


def _zstd(plain: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        at = rng.randrange(len(plain))
        packer = zstandard.ZstdCompressor(level=1)
        return packer.compress(plain[:at]) + packer.compress(plain[at:])
    checked = zstandard.ZstdCompressor(level=rng.choice((1, 3, 9)), write_checksum=True)
    return checked.compress(plain)


def decoded(data: bytes, header: str) -> bytes:
    """The body that a backend reads, by the packages' own one-shot decoders.

    Raises what they raise for data that is damaged, short, or followed by more.
    """
    for coding in reversed([name.strip().lower() for name in header.split(",")]):
        data = _decode(data, coding)
    return data


def _decode(data: bytes, coding: str) -> bytes:
    match coding:
        case "identity":
            return data
        case "gzip":
            return gzip.decompress(data)
        case "br":
            return brotli.decompress(data)
        case "zstd":
            return _unzstd(data)
        case "deflate":
            return _undeflate(data)
    raise ValueError(coding)


def _undeflate(data: bytes) -> bytes:
    for bits in (15, -15):
        decoder = zlib.decompressobj(bits)
        try:
            out = decoder.decompress(data) + decoder.flush()
        except zlib.error:
            continue
        if decoder.eof and not decoder.unused_data:
            return out
    raise zlib.error("not one deflate stream")


def _unzstd(data: bytes) -> bytes:
    out = []
    while data:
        decoder = zstandard.ZstdDecompressor().decompressobj()
        out.append(decoder.decompress(data))
        if not decoder.eof:
            raise zstandard.ZstdError("a frame ends early")
        data = decoder.unused_data
    return b"".join(out)


def cut(wire: bytes, how: str, seed: int, marks: Sequence[int] = ()) -> list[bytes]:
    """The body's messages. `marks`: offsets of tokens, for cuts inside them."""
    rng = random.Random(f"cut {seed}")
    size = len(wire)
    match how:
        case "whole":
            at: Sequence[int] = ()
        case "edges":
            near = [*range(1, _EDGE), *range(size - _EDGE, size)]
            at = [*near, *(mark + step for mark in marks for step in range(-3, 9))]
        case "blocks":
            at = range(16384, size, 16384)
        case "random":
            at = [rng.randrange(size + 1) for _ in range(rng.choice((1, 2, 5, 20)))]
        case "tokens":
            at = [mark + rng.randrange(-2, 8) for mark in marks]
            at = [*at, *(rng.randrange(size + 1) for _ in range(5))]
        case _:
            raise ValueError(how)
    places = sorted({0, size, *(p for p in at if 0 < p < size)})
    pieces = [wire[a:b] for a, b in itertools.pairwise(places)] or [b""]
    if how != "whole" and rng.random() < 0.2:
        pieces.insert(rng.randrange(len(pieces)), b"")
    return pieces
