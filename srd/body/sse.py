"""Server-sent events, piece by piece, in bounded memory.

Why this file exists: what an answer says of itself comes in events, and events do not respect the
pieces in which a gateway hands an answer over. It must not know what the events are about.

Lines end with LF, CR or CRLF, the data lines of one event are joined by LF, and a blank line ends
the event (HTML standard, "Interpreting an event stream"). An event whose data fits the bound is
told whole, a larger one piece by piece; which of the two never depends on the cut.
"""

from __future__ import annotations

import enum
from typing import Protocol

#: Data of one event that is held for its end; also the longest line that is held.
HOLD = 16384


class Events(Protocol):
    """Who hears of the events' data."""

    def whole(self, data: bytes) -> None:
        """One event, all of it."""

    def piece(self, data: bytes) -> None:
        """The next piece of an event over the bound."""

    def end(self) -> None:
        """The event over the bound has ended."""


class _Line(enum.Enum):
    HELD = "held"  # from its start on, until it is told or over the bound
    DATA = "data"  # a long data line: its inside goes on as it comes
    OTHER = "other"  # a long line of another field


class SseSplitter:
    """Feed it the stream in any pieces, then `finish`."""

    def __init__(self, events: Events, hold: int = HOLD) -> None:
        self._events = events
        self._hold = hold
        self._kind = _Line.HELD
        self._line = bytearray()
        self._after_cr = False
        self._data: list[bytes] = []
        self._size = 0
        self._large = False  # the event at hand is told piece by piece

    def __repr__(self) -> str:
        return f"<SseSplitter held={self.held}>"

    @property
    def held(self) -> int:
        """Bytes held now: at most twice the bound."""
        return len(self._line) + self._size

    @property
    def between(self) -> bool:
        """True between two events: nothing of one has come."""
        return not (
            self._line
            or self._data
            or self._large
            or self._after_cr
            or self._kind is not _Line.HELD
        )

    def feed(self, data: bytes) -> None:
        """The next piece of the stream."""
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == 0x0A:
                data = data[1:]
        if not data:
            return
        if b"\r" in data:
            self._after_cr = data[-1] == 0x0D
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        rest = lines.pop()
        for line in lines:
            if self._line or self._kind is not _Line.HELD or len(line) > self._hold:
                self._part(line)
                self._end_line()
            else:
                self._take(line)
        if rest:
            self._part(rest)

    def finish(self) -> None:
        """The stream has ended. Some servers leave out the last blank line."""
        self._end_line()
        self._end_event()

    def _part(self, part: bytes) -> None:
        if self._kind is _Line.HELD:
            self._line += part
            if len(self._line) > self._hold:
                self._spill()
        elif self._kind is _Line.DATA and part:
            self._events.piece(part)

    def _spill(self) -> None:
        """The line is too long to wait for its end."""
        value = _value(bytes(self._line))
        self._line.clear()
        if value is None:
            self._kind = _Line.OTHER
        else:
            self._kind = _Line.DATA
            self._pass_on(value)

    def _end_line(self) -> None:
        if self._kind is not _Line.HELD:
            self._kind = _Line.HELD
        else:
            line = bytes(self._line)
            self._line.clear()
            self._take(line)

    def _take(self, line: bytes) -> None:
        """A whole line within the bound."""
        if not line:
            self._end_event()
            return
        value = _value(line)
        if value is None:
            return
        self._size += len(value) + 1
        if self._large or self._size > self._hold:
            self._pass_on(value)
        else:
            self._data.append(value)

    def _pass_on(self, value: bytes) -> None:
        if self._large:
            value = b"\n" + value
        elif self._data:
            value = b"\n".join((*self._data, value))
        self._large, self._size = True, 0
        self._data.clear()
        if value:
            self._events.piece(value)

    def _end_event(self) -> None:
        if self._large:
            self._events.end()
        elif self._data:
            data = self._data
            self._events.whole(data[0] if len(data) == 1 else b"\n".join(data))
        self._data.clear()
        self._size, self._large = 0, False


def _value(line: bytes) -> bytes | None:
    """The value of a data line, None for another field."""
    if line.startswith(b"data:"):
        return line[6:] if line[5:6] == b" " else line[5:]
    return b"" if line == b"data" else None
