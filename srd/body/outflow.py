"""The ways in which a body leaves, once that is decided.

Why this file exists: whether a body is spliced, inflated or left packed is settled once, at the
commit; from then on each way has its own rules about what may still leave, and they stand here. It
must not know why something is edited, nor gateways.

Whatever is raised here means that nothing more of the body may leave.
"""

from __future__ import annotations

from typing import Protocol

from srd.body.inflate import InflateError, InflateLimit, Inflater
from srd.body.latch import Latch
from srd.body.splice import Splicer

#: Inflated bytes that one call takes through the pipe.
STEP = 1 << 20
#: Bytes go through a splicer in pieces, so that it never doubles what is held, and because before
#: Python 3.11.5 a match may keep a stack as long as what it looks at.
PIECE = 65536


class Unsendable(Exception):  # noqa: N818 - not a fault of ours
    """The rest of the body must not leave: what left would not be what was decided, or not what the
    client sent. The stream ends with an error."""


class Outflow(Protocol):
    """One way."""

    @property
    def splicer(self) -> Splicer | None:
        """What edits, or watches, if anything does."""

    def flow(self, data: bytes, *, end: bool) -> bytes:
        """The next bytes as they came; what leaves."""

    def let_go(self) -> bytes:
        """What an undecided edit holds leaves now."""

    def cut(self) -> bytes:
        """The rest passes by itself: what leaves before it."""

    @property
    def more(self) -> bool:
        """True while output waits inside: an empty `flow` goes on."""

    @property
    def held(self) -> int:
        """Bytes kept."""

    @property
    def finished(self) -> bool:
        """True when the end has come and everything has left."""

    @property
    def delta(self) -> int | None:
        """Bytes that leave minus bytes that came, once certain."""


class Passing:
    """As it comes, unread."""

    splicer = None
    more = False
    held = 0
    delta = 0

    def __init__(self, *, ended: bool) -> None:
        self.finished = ended

    def flow(self, data: bytes, *, end: bool) -> bytes:
        self.finished = self.finished or end
        return data

    def let_go(self) -> bytes:
        return b""

    def cut(self) -> bytes:
        return b""


class Spliced:
    """Not compressed: spliced as it comes."""

    more = False

    def __init__(self, splicer: Splicer) -> None:
        self.splicer = splicer

    def flow(self, data: bytes, *, end: bool) -> bytes:
        if len(data) <= PIECE:
            return self.splicer.feed(data, end=end)
        feed, last = self.splicer.feed, len(data) - PIECE
        starts = range(0, len(data), PIECE)
        return b"".join([feed(data[at : at + PIECE], end=end and at >= last) for at in starts])

    def let_go(self) -> bytes:
        return self.splicer.let_go()

    def cut(self) -> bytes:
        return self.splicer.cut_off()

    @property
    def held(self) -> int:
        return self.splicer.held

    @property
    def finished(self) -> bool:
        return self.splicer.ended and not self.splicer.held

    @property
    def delta(self) -> int | None:
        return self.splicer.delta if self.splicer.final else None


class Plain:
    """Compressed, leaves inflated. The closing brace leaves when the end has come and the decoder
    has verified it: something may still follow that shows the body to be damaged. Where no end
    comes, `let_go` asks the decoder alone."""

    def __init__(self, source: Inflater, splicer: Splicer) -> None:
        self.splicer = splicer
        self.finished = False
        self._source = source
        self._latch = Latch()
        self._end = False
        self._grown = -source.waiting  # bytes out minus bytes in

    @property
    def more(self) -> bool:
        return not self._source.idle or (self._end and not self.finished)

    @property
    def held(self) -> int:
        return self._source.waiting + self.splicer.held + self._latch.held

    @property
    def delta(self) -> int | None:
        return self._grown if self.finished else None

    def flow(self, data: bytes, *, end: bool) -> bytes:
        try:
            return self.pump(data, end=end)
        except (InflateError, InflateLimit) as error:
            raise Unsendable(str(error)) from error

    def pump(self, data: bytes, *, end: bool) -> bytes:
        """Like `flow`; raises InflateError and InflateLimit, for callers that can still refuse."""
        source, splicer, latch = self._source, self.splicer, self._latch
        source.push(data)
        self._end = self._end or end
        out: list[bytes] = []
        taken = 0
        while taken < STEP and (piece := source.pull(PIECE)):
            taken += len(piece)
            out.append(latch.feed(splicer.feed(piece)))
        if source.idle and self._end:
            source.finish()
            out += (latch.feed(splicer.feed(b"", end=True)), latch.release())
            self.finished = True
        whole = b"".join(out)
        self._grown += len(whole) - len(data)
        return whole

    def let_go(self) -> bytes:
        out = self._latch.feed(self.splicer.let_go())
        if self._source.complete:
            out += self._latch.release()
        self._grown += len(out)
        return out

    def cut(self) -> bytes:
        raise Unsendable("the rest of a compressed body cannot follow its inflated front")


class Packed:
    """Compressed, leaves as it came. It is inflated and spliced beside, into nothing: where that
    would change a byte, the piece that makes it so does not leave.

    A body that turns out to be damaged goes on as it came, unread: the backend will judge.
    """

    delta = 0

    def __init__(self, source: Inflater, splicer: Splicer, *, blind: bool, ended: bool) -> None:
        self.splicer = splicer
        self.finished = ended
        self._source = source
        self._blind = blind
        self._end = ended
        self._waiting: list[bytes] = []

    @property
    def more(self) -> bool:
        return bool(self._waiting) or (self._end and not self.finished)

    @property
    def held(self) -> int:
        return sum(map(len, self._waiting))

    def flow(self, data: bytes, *, end: bool) -> bytes:
        self._end = self._end or end
        if data:
            self._waiting.append(data)
        if not self._blind:
            self._source.push(data)
            if not self._scanned():
                return b""
        waiting, self._waiting = self._waiting, []
        self.finished = self._end
        return waiting[0] if len(waiting) == 1 else b"".join(waiting)

    def _scanned(self) -> bool:
        """Look at the next inflated bytes; True when all that came was looked at."""
        source, splicer, taken = self._source, self.splicer, 0
        try:
            while taken < STEP and (piece := source.pull(PIECE)):
                taken += len(piece)
                splicer.feed(piece)
            if source.idle and self._end:
                splicer.feed(b"", end=True)
        except InflateError:
            self._blind = True
        except InflateLimit as error:
            raise Unsendable(str(error)) from error
        if splicer.edited:
            raise Unsendable("a body that leaves compressed would have to be edited")
        return self._blind or source.idle

    def let_go(self) -> bytes:
        return b""

    def cut(self) -> bytes:
        return self.flow(b"", end=False)
