"""Compressed request bodies, opened with caps.

Why this file exists: neither gateway decodes a body before it asks us (protocol reference 6), and a
few kilobytes of zeros must not become a gigabyte here. It must not know what the bytes mean.

Memory at any moment: the input piece, the output returned, and the decoder's window (at most
16 MiB, brotli's largest; zstd is held to 8 MiB as RFC 8878 recommends for HTTP).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

import brotli
import zstandard

#: Single codings, as a content-encoding header names them.
SUPPORTED_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "identity"})

_CODINGS = 2  # in one list; more is an attack or a mistake
_STEP = 262144  # output bytes per call of a decoder
_ZSTD_INPUT = 128  # input bytes per call: a block of 4 bytes may become 128 KiB
_ZSTD_WINDOW = 8 << 20
_FREE = 65536  # output that the ratio does not limit: small bodies may be very regular


class InflateError(Exception):
    """The client's: the compressed body is damaged, or ends early. The answer is a 400."""


class InflateLimit(Exception):  # noqa: N818 - a limit, not a fault
    """The client's: the body inflates beyond a cap. The answer is a 413."""


def codings(encoding: str) -> tuple[str, ...] | None:
    """The codings of a content-encoding value, first applied first; None when one is unknown, or
    there are more than two. "identity" is no coding."""
    names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
    if any(name not in SUPPORTED_ENCODINGS for name in names):
        return None
    found = tuple(name for name in names if name != "identity")
    return found if len(found) <= _CODINGS else None


class _Stage(Protocol):
    """One decoder."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Output in bounded pieces. Raises a library's error for damaged input."""

    @property
    def complete(self) -> bool:
        """True when the input may end here."""


class _Zlib:
    """gzip with any number of members, or one deflate stream, with or without zlib's header."""

    def __init__(self, coding: str) -> None:
        self._gzip = coding != "deflate"
        self._decoder: zlib._Decompress | None = None
        self._start = b""
        self._members = 0
        self._ended = False

    @property
    def complete(self) -> bool:
        if self._decoder is None:
            return self._members > 0 and not self._start
        return self._decoder.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            decoder = self._decoder
            if decoder is None:
                data, decoder = self._begin(data)
                if decoder is None:
                    return
                self._decoder = decoder
            if self._ended:
                raise zlib.error("data behind the end of the compressed body")
            yield decoder.decompress(data, _STEP)
            data = decoder.unconsumed_tail
            while not data and not decoder.eof:
                more = decoder.decompress(b"", _STEP)  # output that is still inside
                if not more:
                    break
                yield more
            if decoder.eof:
                data = decoder.unused_data
                self._members += 1
                self._ended = not self._gzip
                self._decoder = None if self._gzip else decoder

    def _begin(self, data: bytes) -> tuple[bytes, zlib._Decompress | None]:
        """Wait for the first two bytes, which tell what it is."""
        if self._gzip and self._members and not self._start:
            data = data.lstrip(b"\0")  # padding behind a member
        data = self._start + data
        self._start = data if len(data) < 2 else b""
        if self._start or not data:
            return b"", None
        if self._gzip:
            return data, zlib.decompressobj(31)
        header = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
        return data, zlib.decompressobj(15 if header else -15)


class _Brotli:
    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()

    @property
    def complete(self) -> bool:
        return bool(self._decoder.is_finished())

    def feed(self, data: bytes) -> Iterator[bytes]:
        if data and self._decoder.is_finished():
            raise brotli.error("data behind the end of the compressed body")
        yield self._decoder.process(data, output_buffer_limit=_STEP)
        while not self._decoder.can_accept_more_data():
            yield self._decoder.process(b"", output_buffer_limit=_STEP)


class _Zstd:
    """Any number of frames."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._decoder = self._context.decompressobj()
        self._fed = False
        self._frames = 0

    @property
    def complete(self) -> bool:
        return self._frames > 0 and not self._fed

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_INPUT):
            piece = data[start : start + _ZSTD_INPUT]
            while piece:
                self._fed = True
                yield self._decoder.decompress(piece)
                piece = b""
                if self._decoder.eof:
                    piece = self._decoder.unused_data
                    self._decoder = self._context.decompressobj()
                    self._frames += 1
                    self._fed = False


def _stage(coding: str) -> _Stage:
    if coding == "br":
        return _Brotli()
    return _Zstd() if coding == "zstd" else _Zlib(coding)


class Inflater:
    """One body of the given content-encoding (see `codings`; ValueError where that says None).

    At most `max_output` bytes come out, and at most `max_ratio` times what went in, the first
    64 KiB aside. The caps hold for each of two codings.
    """

    def __init__(self, encoding: str, *, max_output: int, max_ratio: int) -> None:
        names = codings(encoding)
        if names is None:
            raise ValueError(f"unknown content-encoding {encoding!r}")
        self._names = names
        self._stages = [_stage(name) for name in reversed(names)]
        self._produced = [0] * len(self._stages)
        self._consumed = 0
        self._max_output: int | None = max_output
        self._max_ratio = max_ratio

    def __repr__(self) -> str:
        produced = self._produced[-1] if self._produced else self._consumed
        return f"<Inflater {'+'.join(self._names) or 'identity'} {self._consumed} -> {produced}>"

    def uncap(self) -> None:
        """The decision is made: nothing is held any more, only the ratio stays limited."""
        self._max_output = None

    def feed(self, data: bytes) -> bytes:
        """Inflate the next piece. Raises InflateError, InflateLimit."""
        self._consumed += len(data)
        try:
            return b"".join(self._run(0, data))
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise InflateError(f"damaged {'+'.join(self._names)} body: {error}") from None

    def finish(self) -> bytes:
        """The input has ended. Raises InflateError when it ends inside a stream."""
        if self._consumed and not all(stage.complete for stage in self._stages):
            raise InflateError(f"the {'+'.join(self._names)} body ends early")
        return b""

    def _run(self, index: int, data: bytes) -> Iterator[bytes]:
        if index == len(self._stages):
            if index == 0 and self._max_output is not None and self._consumed > self._max_output:
                raise InflateLimit(f"the body is larger than {self._max_output} bytes")
            yield data
            return
        for piece in self._stages[index].feed(data):
            self._count(index, len(piece))
            if piece:
                yield from self._run(index + 1, piece)

    def _count(self, index: int, size: int) -> None:
        self._produced[index] += size
        produced = self._produced[index]
        if self._max_output is not None and produced > self._max_output:
            raise InflateLimit(f"the body inflates to more than {self._max_output} bytes")
        if produced > self._consumed * self._max_ratio + _FREE:
            raise InflateLimit(f"the body inflates more than {self._max_ratio} times")
