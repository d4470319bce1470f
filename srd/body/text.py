"""Decoded text in bounded memory.

Why this file exists: a prompt arrives as raw pieces of JSON strings, cut anywhere; signals want
characters, and nobody may hold a book. This file must not know whose text it is.

Every text here is the same for every way of cutting the raw bytes into pieces.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from io import StringIO

from srd.body import lexis

#: What stands between head and tail of a text whose middle was not kept.
OMISSION = "\n"
#: Characters at a text's front that are served without joining: the largest window and some.
_LEAD = 4096
_MERGED = 256
_ENTRIES = 4096

# An escape that may go on in the next piece: cut short, or a high surrogate that waits for its low.
_OPEN_ESCAPE = re.compile(rb"(?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z")
_LONGEST_OPEN = 11
_UTF8 = codecs.getincrementaldecoder("utf-8")


class TextDecoder:
    """Raw inside of one JSON string, piece by piece -> characters.

    Escapes are resolved, surrogate pairs joined; invalid UTF-8 and unpaired surrogates become
    U+FFFD. Holds at most 11 raw bytes. Needs valid escapes (a strict scanner has checked them).
    """

    def __init__(self) -> None:
        self._open = b""
        self._utf8 = _UTF8("replace")

    def __repr__(self) -> str:
        return f"<TextDecoder open={self._open!r}>"

    def feed(self, raw: bytes, *, last: bool = False) -> str:
        """The characters that are certain now; with `last`, all that remain."""
        if self._open:
            raw = self._open + raw
            self._open = b""
        if not last and b"\\" in raw[-_LONGEST_OPEN:]:
            cut = _open_escape(raw)
            raw, self._open = raw[:cut], raw[cut:]
        text = self._utf8.decode(raw, last)
        return lexis.unescape(text) if "\\" in text else text


def _open_escape(raw: bytes) -> int:
    """Where an unfinished escape at the end of `raw` starts; len(raw) when there is none."""
    at = max(0, len(raw) - _LONGEST_OPEN)
    while True:
        match = _OPEN_ESCAPE.search(raw, at)
        if match is None or match.start() == len(raw):
            return len(raw)
        if not lexis.odd_backslashes(raw, 0, match.start()):
            return match.start()
        at = match.start() + 1


def decode_body(raw: bytes) -> str:
    """The characters of a whole string's inside."""
    text = raw.decode("utf-8", "replace")
    return lexis.unescape(text) if "\\" in text else text


class BoundedText:
    """One text: all of it up to `limit` characters, else its first and last `limit // 2`.

    `size` counts all characters, `size_bytes` all UTF-8 bytes. Adding is amortised O(piece).
    """

    __slots__ = (
        "_head", "_head_limit", "_head_size", "_lead", "_tail", "_tail_limit", "_tail_size",
        "size", "size_bytes",
    )  # fmt: skip

    def __init__(self, limit: int) -> None:
        self.size = 0
        self.size_bytes = 0
        self._head_limit = limit - limit // 2
        self._tail_limit = limit // 2
        self._lead = ""  # the head's first characters
        self._head: StringIO | None = None  # the head's others
        self._head_size = 0
        self._tail: deque[str] | None = None
        self._tail_size = 0

    def __repr__(self) -> str:
        return f"<BoundedText {self.size} chars, truncated={self.truncated}>"

    @property
    def truncated(self) -> bool:
        """True when characters in the middle were let go."""
        return self.size > self._head_limit + self._tail_limit

    def add(self, piece: str) -> None:
        """Append characters."""
        size = len(piece)
        self.size += size
        self.size_bytes += size if piece.isascii() else len(piece.encode())
        room = self._head_limit - self._head_size
        if room > 0:
            if size > room:
                self._add_tail(piece[room:])
                piece, size = piece[:room], room
            self._head_size += size
            lead = _LEAD - len(self._lead)
            if lead > 0:
                self._lead += piece[:lead]
                piece = piece[lead:]
            if piece:
                if self._head is None:
                    self._head = StringIO()
                self._head.write(piece)
        elif piece:
            self._add_tail(piece)

    def _add_tail(self, piece: str) -> None:
        limit = self._tail_limit
        if not limit:
            return
        tail = self._tail
        if tail is None:
            tail = self._tail = deque()
        piece = piece[-limit:]
        self._tail_size += len(piece)
        # Small pieces are merged, so that one-byte chunks do not cost an object each.
        if tail and len(tail[-1]) + len(piece) <= _MERGED:
            tail[-1] += piece
        else:
            tail.append(piece)
        while self._tail_size - len(tail[0]) >= limit:
            self._tail_size -= len(tail.popleft())

    def prefix(self, length: int) -> str:
        """The first `length` characters, at most those of the head; cheap up to 4096."""
        if length <= len(self._lead) or self._head is None:
            return self._lead[:length]
        return (self._lead + self._head.getvalue())[:length]

    def parts(self) -> tuple[str, str]:
        """Head and tail; the tail is empty until the head is full."""
        head = self._lead if self._head is None else self._lead + self._head.getvalue()
        if self._tail is None:
            return head, ""
        return head, "".join(self._tail)[-self._tail_limit :]

    def value(self) -> str:
        """The text, or its head and tail joined by a newline when its middle was let go."""
        head, tail = self.parts()
        return head + OMISSION + tail if self.truncated else head + tail

    def ends(self, limit: int) -> str:
        """The text, or the first and last `limit // 2` of its characters joined by a newline."""
        half = limit // 2
        if self.size <= limit and not self.truncated:
            return self.value()
        head, tail = self.parts()
        last = tail[-half:] if len(tail) >= half else (head + tail)[-half:]
        return head[:half] + OMISSION + last


class Joined:
    """Any number of texts as one with a line for each, which costs nothing but its characters."""

    def __init__(self) -> None:
        self._text = StringIO()

    def __repr__(self) -> str:
        return f"<Joined {self._text.tell()} chars>"

    def add(self, text: str) -> None:
        """Append one text."""
        self._text.write(text + OMISSION)

    def values(self) -> tuple[str, ...]:
        """The one text, if there is any."""
        text = self._text.getvalue()
        return (text,) if text else ()


class TextList:
    """Many texts within `limit` characters: the first ones and the most recent ones.

    The first ones fill half of the room; of the others the oldest go first. At most 4096 texts
    are kept on either side, whatever their length. `joins`: what goes is kept too, as one text with
    a line for each, in the place where they stood: a guard reads all of it.
    """

    def __init__(self, limit: int, *, joins: bool = False) -> None:
        self._half = limit // 2
        self._joined = Joined() if joins else None
        self._first: list[str] = []
        self._first_room = self._half
        self._recent: deque[str] = deque()
        self._recent_size = 0
        self.dropped = 0

    def __repr__(self) -> str:
        return f"<TextList {len(self._first) + len(self._recent)} kept, {self.dropped} dropped>"

    def add(self, text: str) -> None:
        """Append one text."""
        if not self._recent and len(text) <= self._first_room and len(self._first) < _ENTRIES:
            self._first.append(text)
            self._first_room -= len(text)
            return
        self._recent.append(text)
        self._recent_size += len(text)
        while len(self._recent) > 1 and (
            self._recent_size > self._half or len(self._recent) > _ENTRIES
        ):
            oldest = self._recent.popleft()
            self._recent_size -= len(oldest)
            self.dropped += 1
            if self._joined is not None:
                self._joined.add(oldest)

    def values(self) -> tuple[str, ...]:
        """The kept texts in order."""
        joined = () if self._joined is None else self._joined.values()
        return (*self._first, *joined, *self._recent)
