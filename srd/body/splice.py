"""Applies splices to a document that passes by.

Why this file exists: it owns the bytes between "scanned" and "released", and nothing else does. A
byte leaves as soon as no undecided edit can change it. It must not know JSON, nor why it is edited.

A document that breaks (`broken` says where) is the client's: the splices that were decided are
applied, all else leaves unchanged, and later bytes are echoed. Anything else that goes wrong is
raised, and every later call raises too: bytes that were in hand at that moment are lost, so nothing
may follow them. The output is the same for every way of cutting the input. Exception: a member over
64 KiB that is dropped or replaced is let go of as it passes, so of a document that breaks inside it
those bytes are gone.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from srd.body.edits import LIMIT, Edits, Splice
from srd.body.scanner import BodyError, Scanner

_START = attrgetter("start")


class Splicer:
    """Bytes in, edited bytes out. `held` bytes wait for a decision; `delta` is the length of the
    output so far minus that of the input it stands for; `edited` tells whether a byte differs.
    """

    def __init__(self, edits: Edits) -> None:
        self.edits = edits
        self.broken = ""
        self.delta = 0
        self.edited = False
        self.ended = False
        self._scanner = Scanner(edits, strict=False)
        self._buffer = bytearray()
        self._base = 0  # the document's offset of _buffer[0]
        self._seen = 0  # the document's bytes that were fed and scanned
        self._echo = False
        self._failed = False

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
        """Take the next bytes, return those that may leave: `data` itself, where nothing is held
        and nothing edited. Raises what a fault raised, and RuntimeError behind one."""
        return self._guarded(lambda: self._feed(data, end))

    def settle(self, decide: Callable[[], None]) -> bytes:
        """`decide` tells the edits what goes before the closing brace; return what may leave."""
        return self._guarded(lambda: self._settle(decide))

    def let_go(self) -> bytes:
        """Nothing may stay held: what is open is decided as it stands; the document goes on."""
        return self._guarded(lambda: self._settle(lambda: self.edits.let_go(self._scanner.offset)))

    def cut_off(self) -> bytes:
        """The rest of the document passes by itself: return what is held, so that it fits."""
        return self._guarded(self._cut_off)

    def stop(self, reason: str, at: int) -> bytes:
        """Somebody else found the document broken at offset `at`, not behind what was fed: echo
        from now on."""
        return self._guarded(lambda: b"" if self._echo else self._break(b"", reason, at))

    def _guarded(self, step: Callable[[], bytes]) -> bytes:
        if self._failed:
            raise RuntimeError("the document is lost: splicing has failed before")
        try:
            return step()
        except BaseException:
            self._failed = True
            raise

    def _feed(self, data: bytes, end: bool) -> bytes:
        self.ended = self.ended or end
        if self._echo:
            return data
        edits, scanner = self.edits, self._scanner
        try:
            scanner.feed(data)
            if end:
                scanner.finish()
        except BodyError as error:
            return self._break(data, str(error), error.offset)
        self._seen += len(data)
        if edits.floor is None and not edits.decided and not self._buffer:
            self._base += len(data)
            return data
        return self._release(data, scanner.offset)

    def _settle(self, decide: Callable[[], None]) -> bytes:
        if self._echo:
            return b""
        decide()
        return self._release(b"", self._scanner.offset)

    def _cut_off(self) -> bytes:
        if self._echo:
            return b""
        at = self._scanner.offset
        self.edits.cut_off(at)
        self._echo = True
        return self._apply(b"", self.edits.decided, at)

    def _break(self, data: bytes, reason: str, at: int) -> bytes:
        """The document is broken at offset `at`: apply what was decided, echo the rest."""
        cut = max(0, at - self._seen)
        out = self._release(data[:cut], at)
        self._echo, self.broken = True, reason
        rest = data[cut:]
        limit = self._base + len(self._buffer) + len(rest)
        return out + self._apply(rest, self.edits.decided, limit)

    def _release(self, data: bytes, at: int) -> bytes:
        """All before offset `at` is scanned: let go of what no undecided edit can change."""
        edits = self.edits
        edits.pressure(at)
        floor = edits.floor
        limit = at if floor is None else floor
        if limit <= self._base and not self._spilling:
            self._buffer += data
            return b""
        decided = edits.decided
        decided.sort(key=_START)
        count = 0
        while count < len(decided) and decided[count].end <= limit:
            count += 1
        out = self._apply(data, decided[:count], limit)
        edits.decided = decided[count:]
        return out + self._spill() if self._spilling else out

    def _apply(self, data: bytes, splices: list[Splice], limit: int) -> bytes:
        """Of the buffer and `data` behind it, what lies before offset `limit`, with the splices
        applied; the rest becomes the buffer."""
        source = bytes(self._buffer) + data if self._buffer else data
        view, base = memoryview(source), self._base
        parts: list[bytes | memoryview] = []
        at, delta, edited = 0, self.delta, self.edited
        for splice in sorted(splices, key=_START):
            start, stop = splice.start - base, splice.end - base
            parts += (view[at:start], splice.new)
            edited = edited or view[start:stop] != splice.new
            delta += len(splice.new) - (stop - start)
            at = stop
        parts.append(view[at : limit - base])
        out = b"".join(parts)
        rest = bytearray(view[limit - base :])
        self.delta, self.edited, self._base, self._buffer = delta, edited, limit, rest
        return out

    @property
    def _spilling(self) -> bool:
        """True when more waits behind a closing brace that waits (space) than anybody holds."""
        edits = self.edits
        return edits.floor is not None and edits.floor == edits.closed_at

    def _spill(self) -> bytes:
        """Of the space behind a closing brace that waits, what is beyond LIMIT leaves first."""
        out = bytes(self._buffer[LIMIT:])
        del self._buffer[LIMIT:]
        return out
