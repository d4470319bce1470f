"""Applies splices to a document that passes by.

Why this file exists: it owns the bytes between "scanned" and "released", and nothing else does. A
byte leaves as soon as no undecided edit can change it. It must not know JSON, nor why it is edited.

It cannot fail. Whatever goes wrong in scanning or deciding (`broken` says what), the splices that
were decided are applied, all else leaves unchanged, and later bytes are echoed. The output is the
same for every way of cutting the input. Exception: a member over 64 KiB that is dropped or replaced
is let go of as it passes, so of a document that breaks inside it those bytes are gone.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from srd.body.edits import LIMIT, Edits, Splice
from srd.body.scanner import BodyError, Scanner

_START = attrgetter("start")


class Splicer:
    """Bytes in, edited bytes out. `held` bytes wait for a decision; `delta` is the length of the
    output so far minus that of the input it stands for.

    Bytes move from `_incoming` to `_buffer` to `_leaving` and are in one of them at any moment, so
    that none is lost or doubled wherever an exception strikes.
    """

    def __init__(self, edits: Edits) -> None:
        self.edits = edits
        self.broken = ""
        self.delta = 0
        self.ended = False
        self._scanner = Scanner(edits, strict=False)
        self._incoming = b""
        self._buffer = bytearray()
        self._base = 0  # the document's offset of _buffer[0]
        self._leaving: list[bytes] = []
        self._echo = False

    def __repr__(self) -> str:
        state = self.broken or ("echo" if self._echo else "splicing")
        return f"<Splicer {state} held={self.held} delta={self.delta:+d}>"

    @property
    def held(self) -> int:
        """Bytes that an undecided edit still needs."""
        return len(self._buffer)

    @property
    def final(self) -> bool:
        """True when `delta` cannot change any more."""
        return not self._buffer and (self._echo or self.ended)

    def feed(self, data: bytes, *, end: bool = False) -> bytes:
        """Take the next bytes, return those that may leave. Never raises."""
        self.ended = self.ended or end
        if self._echo:
            return data
        self._incoming = data
        try:
            self._scan(end=end)
        except BodyError as error:
            self._break(error.offset, str(error))
        except Exception as error:  # the last line of defence: the body must arrive
            self._stop(f"{type(error).__name__} while splicing")
        return self._leave()

    def settle(self, decide: Callable[[], None]) -> bytes:
        """`decide` tells the edits what goes before the closing brace; return what may leave."""
        if self._echo:
            return b""
        try:
            decide()
            self._release(self._scanner.offset)
        except Exception as error:  # as above
            self._stop(f"{type(error).__name__} while settling")
        return self._leave()

    def stop(self, reason: str, at: int) -> bytes:
        """Somebody else found the document broken at offset `at`: echo from now on."""
        if not self._echo:
            self._break(at, reason)
        return self._leave()

    def _scan(self, *, end: bool) -> None:
        scanner, edits = self._scanner, self.edits
        scanner.feed(self._incoming)
        if edits.hold is None and not edits.decided and not self._buffer:
            self._base += len(self._incoming)
            self._leaving.append(self._incoming)
            self._incoming = b""
        else:
            self._take(len(self._incoming))
            self._release(scanner.offset)
        if edits.inert:
            self._stop("")
        elif end:
            scanner.finish()

    def _break(self, at: int, reason: str) -> None:
        """The document is broken at offset `at`, in the incoming bytes or right before them."""
        if self.edits.inert:  # the failure lies behind all edits
            reason = ""
        try:
            self._take(at - self._scanner.offset)
            self._release(at)
        except Exception as error:  # as above
            reason = f"{type(error).__name__} after {reason}"
        self._stop(reason)

    def _stop(self, reason: str) -> None:
        """Let everything go; what was decided is applied, if it can be."""
        self._echo = True
        self.broken = self.broken or reason
        self._take(len(self._incoming))
        try:
            self._apply(self.edits.decided, self._base + len(self._buffer))
        except Exception:  # as above
            self.broken = reason or "undecidable splices"
            self._leaving.append(bytes(self._buffer))
            self._buffer.clear()

    def _leave(self) -> bytes:
        leaving = self._leaving
        out = leaving[0] if len(leaving) == 1 else b"".join(leaving)
        self._leaving = []
        return out

    def _take(self, count: int) -> None:
        """Move `count` incoming bytes into the buffer."""
        if count > 0:
            self._buffer += self._incoming[:count]
            self._incoming = self._incoming[count:]

    def _release(self, at: int) -> None:
        """All before offset `at` is scanned: let go of what no undecided edit can change."""
        edits = self.edits
        edits.pressure(at)
        limit = at if edits.hold is None else edits.hold
        decided = edits.decided
        decided.sort(key=_START)
        count = 0
        while count < len(decided) and decided[count].end <= limit:
            count += 1
        self._apply(decided[:count], limit)
        del decided[:count]
        if edits.hold is not None and edits.hold == edits.closed_at:
            self._spill()

    def _apply(self, splices: list[Splice], limit: int) -> None:
        """Move the buffer's bytes up to offset `limit` out, with the splices applied."""
        parts: list[bytes | bytearray] = []
        at, delta = 0, self.delta
        for splice in splices:
            parts += (self._buffer[at : splice.start - self._base], splice.new)
            at = splice.end - self._base
            delta += len(splice.new) - (splice.end - splice.start)
        parts.append(self._buffer[at : limit - self._base])
        self._leaving.append(b"".join(parts))
        del self._buffer[: limit - self._base]
        self._base, self.delta = limit, delta

    def _spill(self) -> None:
        """Of the space behind a closing brace that waits, what is beyond LIMIT leaves first."""
        if len(self._buffer) > LIMIT:
            self._leaving.append(bytes(self._buffer[LIMIT:]))
            del self._buffer[LIMIT:]
