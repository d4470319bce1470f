"""Compressed bodies, opened with caps, as far as somebody wants to read.

Why this file exists: a gateway passes a body to us as the client packed it, and a few kilobytes of
zeros must not become a gigabyte here. It must not know what the bytes mean.

Memory at any moment: the input that was pushed and not used, one piece of output, and the decoder's
window (at most 16 MiB, brotli's largest; zstd is held to 8 MiB as RFC 8878 recommends for HTTP).
"""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import brotli
import zstandard

#: Single codings, as a content-encoding header names them.
SUPPORTED_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "identity"})

#: Output that the ratio does not limit. Prompts may repeat themselves (a log, a table) far beyond
#: any ratio that would stop a bomb, and this much is cheap to scan. A long conversation stays below
#: the ratio: 12 MB of one that zstd packs to 200 KB is 60.
FREE = 4 << 20

_CODINGS = 2  # in one list; more is an attack or a mistake
_PIECE = 16384  # input bytes given to a decoder at once
_ZSTD_LEAST, _ZSTD_MOST = 8, 128  # input bytes per call: a block of 4 bytes may become 128 KiB
_ZSTD_MUCH = 131072
_ZSTD_WINDOW = 8 << 20


class InflateError(Exception):
    """The client's: the compressed body is damaged, or ends early. The answer is a 400."""


class InflateLimit(Exception):  # noqa: N818 - a limit, not a fault
    """The client's: the body inflates beyond a cap. The answer is a 413."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What one body may inflate to: at most `max_bytes`, and at most `max_ratio` times the bytes
    that came plus FREE. They protect memory and CPU; they do not say what may be held, and they do
    not concern a body that is not compressed."""

    max_bytes: int = 256 << 20
    max_ratio: int = 200


def codings(encoding: str) -> tuple[str, ...] | None:
    """The codings of a content-encoding value, first applied first; None when one is unknown, or
    there are more than two. "identity" is no coding."""
    if not encoding:
        return ()
    names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
    if any(name not in SUPPORTED_ENCODINGS for name in names):
        return None
    found = tuple(name for name in names if name != "identity")
    return found if len(found) <= _CODINGS else None


class _Stage(Protocol):
    """One decoder. Input is pushed only when a pull gave nothing."""

    def push(self, data: bytes) -> None:
        """Input to decode."""

    def pull(self, limit: int) -> bytes:
        """About `limit` bytes of output, a decoder may give more; b"" when it needs input. Raises
        a library's error for damaged input."""

    @property
    def complete(self) -> bool:
        """True when the input may end here."""


class _Zlib:
    """gzip with any number of members, or one deflate stream, with or without zlib's header."""

    def __init__(self, coding: str) -> None:
        self._gzip = coding != "deflate"
        self._decoder: zlib._Decompress | None = None
        self._input = b""
        self._members = 0

    @property
    def complete(self) -> bool:
        if self._decoder is None:
            return self._members > 0 and not self._input
        return self._decoder.eof

    def push(self, data: bytes) -> None:
        self._input += data

    def pull(self, limit: int) -> bytes:
        while True:
            decoder = self._decoder
            if decoder is None:
                decoder = self._begin()
                if decoder is None:
                    return b""
            elif decoder.eof:
                if self._input:
                    raise zlib.error("data behind the end of the compressed body")
                return b""
            out = decoder.decompress(self._input, limit)
            self._input = decoder.unconsumed_tail
            if decoder.eof:
                self._input = decoder.unused_data
                self._members += 1
                if self._gzip:
                    self._decoder = None
            if out:
                return out
            if not self._input:
                return b""

    def _begin(self) -> zlib._Decompress | None:
        """Wait for the first two bytes, which tell what it is."""
        if self._gzip and self._members:
            self._input = self._input.lstrip(b"\0")  # padding behind a member
        data = self._input
        if len(data) < 2:
            return None
        if self._gzip:
            self._decoder = zlib.decompressobj(31)
        else:
            header = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._decoder = zlib.decompressobj(15 if header else -15)
        return self._decoder


class _Brotli:
    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()
        self._input = b""

    @property
    def complete(self) -> bool:
        return not self._input and bool(self._decoder.is_finished())

    def push(self, data: bytes) -> None:
        self._input = data

    def pull(self, limit: int) -> bytes:
        data, self._input = self._input, b""
        if data and self._decoder.is_finished():
            raise brotli.error("data behind the end of the compressed body")
        # Without input too: what did not fit the last time is still inside, even where the
        # decoder says that it accepts more.
        out: bytes = self._decoder.process(data, output_buffer_limit=limit)
        return out


class _Zstd:
    """Any number of frames."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._decoder = self._context.decompressobj()
        self._input = memoryview(b"")
        self._step = _ZSTD_LEAST
        self._fed = False
        self._frames = 0

    @property
    def complete(self) -> bool:
        return self._frames > 0 and not self._fed and not self._input

    def push(self, data: bytes) -> None:
        self._input = memoryview(data)

    def pull(self, limit: int) -> bytes:
        while self._input:
            piece, self._input = self._input[: self._step], self._input[self._step :]
            self._fed = True
            try:
                out = self._decoder.decompress(piece)
            except zstandard.ZstdError as error:
                if "too much memory" in str(error):
                    raise InflateLimit("the body's zstd window is larger than 8 MiB") from None
                raise
            if self._decoder.eof:
                self._input = memoryview(self._decoder.unused_data + bytes(self._input))
                self._decoder = self._context.decompressobj()
                self._frames += 1
                self._fed = False
            if len(out) > _ZSTD_MUCH:
                self._step = max(_ZSTD_LEAST, self._step // 2)
            else:
                self._step = min(_ZSTD_MOST, self._step * 2)
            if out:
                return out
        return b""


def _stage(coding: str) -> _Stage:
    if coding == "br":
        return _Brotli()
    return _Zstd() if coding == "zstd" else _Zlib(coding)


class Inflater:
    """One body of the given content-encoding (see `codings`; ValueError where that says None).

    `push` what came, `pull` what it inflates to, `finish` when nothing more comes. Once a call has
    raised, each later one raises too. The caps hold for each of two codings.
    """

    def __init__(self, encoding: str, caps: Caps) -> None:
        names = codings(encoding)
        if names is None:
            raise ValueError(f"unknown content-encoding {encoding!r}")
        self.names = names
        self.idle = True  # all that was pushed has come out
        self._stages = [_stage(name) for name in names]  # the last coding is undone first
        self._produced = [0] * len(self._stages)
        self._queue: deque[bytes] = deque()
        self._at = 0  # of the queue's first piece so much is used
        self._consumed = 0
        self._caps = caps
        self._failed: Exception | None = None

    def __repr__(self) -> str:
        produced = self._produced[0] if self._produced else self._consumed
        return f"<Inflater {'+'.join(self.names) or 'identity'} {self._consumed} -> {produced}>"

    @property
    def complete(self) -> bool:
        """True when every decoder has verified its end, and nothing waits behind it. A body that is
        not compressed has no end of its own: always True once its input is used."""
        return self.idle and all(stage.complete for stage in self._stages)

    @property
    def waiting(self) -> int:
        """Bytes that were pushed and not used."""
        return sum(map(len, self._queue)) - self._at

    def push(self, data: bytes) -> None:
        """More input; kept as it is until it is needed."""
        if data:
            self._queue.append(data)
            self.idle = False

    def pull(self, limit: int) -> bytes:
        """The next output: about `limit` bytes (exactly at most, without compression); b"" when
        all that was pushed has come out. Raises InflateError, InflateLimit."""
        if self._failed is not None:
            raise self._failed
        try:
            out = self._pull(0, limit) if self._stages else self._take(limit)
            self.idle = not out or (not self._stages and not self._queue)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            self._failed = InflateError(f"damaged {'+'.join(self.names)} body: {error}")
            raise self._failed from None
        except Exception as error:
            self._failed = error
            raise
        return out

    def finish(self) -> None:
        """The input has ended, and all of it has come out. Raises InflateError when it ends inside
        a stream."""
        if self._failed is not None:
            raise self._failed
        if self._consumed and not self.complete:
            self._failed = InflateError(f"the {'+'.join(self.names)} body ends early")
            raise self._failed

    def _pull(self, index: int, limit: int) -> bytes:
        """Output of the decoder `index`, which is fed by the next one."""
        if index == len(self._stages):
            return self._take(_PIECE)
        stage = self._stages[index]
        while not (out := stage.pull(limit)):
            data = self._pull(index + 1, _PIECE)
            if not data:
                return b""
            stage.push(data)
        self._produced[index] += len(out)
        self._check(self._produced[index])
        return out

    def _take(self, limit: int) -> bytes:
        """Input, at most `limit` bytes; a whole piece is not copied."""
        if not self._queue:
            return b""
        first, at = self._queue[0], self._at
        piece = first if at == 0 and len(first) <= limit else first[at : at + limit]
        self._at = at + len(piece)
        if self._at == len(first):
            self._queue.popleft()
            self._at = 0
        self._consumed += len(piece)
        return piece

    def _check(self, produced: int) -> None:
        caps = self._caps
        if produced > caps.max_bytes:
            raise InflateLimit(f"the body inflates to more than {caps.max_bytes} bytes")
        if produced > self._consumed * caps.max_ratio + FREE:
            raise InflateLimit(f"the body inflates more than {caps.max_ratio} times")
