"""Who hears what the scanner finds, and what it may ask for.

Why this file exists: the reader, the edits and the figures of an answer are listeners of one
scanner; this is all that they and it know of each other.
"""

from __future__ import annotations

import enum
from typing import Protocol


class Want(enum.IntEnum):
    """What a listener wants of a value that begins."""

    SKIP = 0  # only its end
    ENTER = 1  # a container's inside; its end arrives as `close`
    TEXT = 2  # a string's raw inside, piece by piece
    TOKEN = 3  # a scalar's raw bytes in one piece, quotes included


class Listener(Protocol):
    """Who listens. Offsets are absolute; raw bytes are as in the document, escapes included."""

    def key(self, name: bytes | None, start: int) -> None:
        """A member of the entered object; `name` is unescaped, None when it is too long."""

    def begin(self, kind: int, offset: int) -> Want:
        """A value begins; `kind` is its first byte."""

    def token(self, raw: bytes | None) -> None:
        """The TOKEN asked for; None once it is longer than the limit."""

    def shortcut(self, data: bytes, at: int) -> int:
        """An object begins at data[at]: where it ends, if the listener took it whole, alone or with
        objects that follow it; else 0."""

    def text(self, raw: bytes) -> None:
        """A piece of the TEXT asked for; pieces may end inside an escape or a character."""

    def end(self, offset: int) -> None:
        """A value that was not entered ended before `offset`."""

    def close(self, offset: int) -> None:
        """The entered container's closing bracket is at `offset`."""

    def comma(self, offset: int) -> None:
        """A comma of the entered container."""
