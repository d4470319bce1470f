"""What a response says of itself, read beside it: streamed or whole, packed or plain.

Why this file exists: usage is at the end of an answer that is passed on piece by piece, and what
counts is what the client saw, whatever the server called it. It reads a copy; it must never delay,
change or hold the answer, and it must not know modes or messages.

The framing is told by the first bytes: servers send events as text/plain and as JSON. Anything that
is not events is a row of JSON documents: one, one a line, or the elements of an array. Held are at
most two lines or events of `srd.body.sse.HOLD` bytes, a scanner's state, and a decoder's window.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator

from srd.body import lexis
from srd.body.figures import Figures
from srd.body.inflate import Caps, InflateError, InflateLimit, Inflater, codings
from srd.body.scanner import BodyError, Scanner
from srd.body.sse import SseSplitter

#: A packed answer that is larger, or packed more tightly, is not observed: memory and CPU.
MAX_PLAIN = 64 << 20
MAX_RATIO = 1000
_PIECE = 65536  # bytes out of the decoder at a time

_SKIPPED = b"\xef\xbb\xbf \t\r\n"  # a byte order mark and blank lines may come first
_BETWEEN = re.compile(rb"[ \t\r\n,\[\]\x1e]*")
_SHORT = 4096
_OBJECT = 0x7B


class _Framing(enum.Enum):
    UNKNOWN = "nothing came yet"
    EVENTS = "server-sent events"
    DOCUMENTS = "JSON documents"
    OTHER = "nothing that we read"


class Documents:
    """JSON objects one after the other, in any pieces, told to `figures`.

    Between them there may be white space, commas and the brackets of an array around them. What is
    not JSON is passed over up to the end of its line.
    """

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._scanner: Scanner | None = None
        self._lost = False

    def restart(self) -> None:
        """What follows is a text of its own."""
        self._scanner = None
        self._lost = False

    def feed(self, data: bytes) -> None:
        """The next piece. Never raises; linear in `data`."""
        at, size = 0, len(data)
        span = size
        while at < size:
            if self._scanner is None:
                at = self._begin(data, at)
                continue
            scanner, end = self._scanner, min(size, at + span)
            try:
                scanner.feed(data[at:end])
                at = end
            except BodyError as error:
                # Behind a whole document the next one may begin; short pieces then, because each
                # document costs a copy of its piece.
                self._lost = not scanner.done
                self._scanner = None
                at, span = at + error.offset - scanner.offset, _SHORT

    def _begin(self, data: bytes, at: int) -> int:
        """Look for a document; returns where to go on, with a scanner when one begins there."""
        if self._lost:
            newline = data.find(b"\n", at)
            if newline < 0:
                return len(data)
            self._lost, at = False, newline + 1
        match = _BETWEEN.match(data, at)
        at = match.end() if match else at
        if at == len(data):
            return at
        if data[at] != _OBJECT:
            self._lost = True
            return at
        small = lexis.VALUE.match(data, at, at + _SHORT)
        if small and self._says_nothing(small.group()):
            return small.end()
        self._figures.restart()
        self._scanner = Scanner(self._figures, strict=False)
        return at

    def _says_nothing(self, document: bytes) -> bool:
        """True when the scanner, too, would hear nothing in it: most lines of a stream. A key
        with an escape in it would be heard."""
        return b"\\u" not in document and not self._figures.may_hear(document)


class UsageReader:
    """Reads one response of any of the APIs: `feed` it what passes, then `finish`.

    `content_encoding` may be a list; where it is unknown, damaged or over the caps nothing counts
    as observed. `figures` has what was said, None for what was not.
    """

    def __init__(self, *, content_type: str, content_encoding: str) -> None:
        self.figures = Figures()
        self.streamed = False
        self._framing = _Framing.UNKNOWN
        self._kind = content_type.split(";", 1)[0].strip().lower()
        self._documents = Documents(self.figures)
        self._events = SseSplitter(self)
        self._inflater: Inflater | None = None
        names = codings(content_encoding)
        if names is None or self._kind.startswith(("image/", "audio/", "video/")):
            self._framing = _Framing.OTHER
        elif names:
            self._inflater = _inflater(content_encoding)

    def __repr__(self) -> str:
        return f"<UsageReader {self._framing.name} {self.figures!r}>"

    def feed(self, data: bytes) -> None:
        """Look at the next piece of the response. Raises nothing that a response can cause."""
        if self._framing is _Framing.OTHER:
            return
        if self._inflater is None:
            self._plain(data)
            return
        try:
            for piece in _inflate(self._inflater, data):
                self._plain(piece)
        except (InflateError, InflateLimit):
            self.figures = Figures()
            self._framing = _Framing.OTHER

    def finish(self) -> bool:
        """No more will come. True when what came was not cut short inside its coding."""
        if self._framing is _Framing.EVENTS:
            self._events.finish()
        if self._framing is _Framing.OTHER or self._inflater is None:
            return True
        try:
            self._inflater.finish()
        except InflateError:
            return False
        return True

    def _plain(self, data: bytes) -> None:
        if self._framing is _Framing.UNKNOWN:
            data = data.lstrip(_SKIPPED)
            if not data:
                return
            self._framing = self._told_by(data[0])
            self.streamed = self._framing is _Framing.EVENTS
        if self._framing is _Framing.DOCUMENTS:
            self._documents.feed(data)
        elif self._framing is _Framing.EVENTS:
            # The most frequent piece of all: whole events with a few characters of text.
            whole = self._events.between and data.endswith((b"\n\n", b"\r\n\r\n"))
            if not whole or self.figures.may_hear(data):
                self._events.feed(data)

    def _told_by(self, first: int) -> _Framing:
        if first in b"{[":
            return _Framing.DOCUMENTS
        # A field name (data, event, id, retry) or a comment.
        events = self._kind == "text/event-stream" or first in b"deir:"
        return _Framing.EVENTS if events else _Framing.OTHER

    # -- of the events

    def whole(self, data: bytes) -> None:
        """See Events."""
        if self.figures.may_hear(data) and not self.figures.read(data):
            self._documents.feed(data)
            self._documents.restart()

    def piece(self, data: bytes) -> None:
        """See Events."""
        self._documents.feed(data)

    def end(self) -> None:
        """See Events."""
        self._documents.restart()


def _inflater(encoding: str) -> Inflater:
    return Inflater(encoding, Caps(max_bytes=MAX_PLAIN, max_ratio=MAX_RATIO))


def _inflate(inflater: Inflater, data: bytes) -> Iterator[bytes]:
    inflater.push(data)
    while plain := inflater.pull(_PIECE):
        yield plain
