"""What a place in a request body is to the reader, and the places whose strings are all texts.

Why this file exists: `contexts` and `content` make something of the places they know; what those
have in common stands here. It must not know any API's names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from srd.body.listener import Want
from srd.signals.base import Origin

if TYPE_CHECKING:
    from srd.body.prompt import Said
    from srd.body.reader import PromptReader

_STRING = 0x22


class Context:
    """A container that was entered: what it wants of each value in it."""

    shortcut = False  # its elements are messages that may be taken whole

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        """A value of member `name` (None in arrays) begins."""
        return Want.SKIP

    def pass_over(self, reader: PromptReader, data: bytes, at: int) -> int:
        """An object begins at data[at]: where it ends, if it is all here and was read without a
        closer look; else 0."""
        return 0

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        """The token that `begin` asked for."""

    def end(self, reader: PromptReader, offset: int) -> None:
        """A value that was not entered has ended."""

    def close(self, reader: PromptReader, offset: int) -> None:
        """The container has ended."""


class Gathered(Context):
    """A container whose strings are all texts of nobody's message: what tools say, what fills a
    template. `done` is told the offset behind it."""

    def __init__(
        self, origin: Origin, depth: int = 0, done: Callable[[int], None] | None = None
    ) -> None:
        self._origin = origin
        self._depth = depth
        self._done = done

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        return reader.want_gathered(self._origin, kind, offset, self._depth + 1)

    def close(self, reader: PromptReader, offset: int) -> None:
        if self._done is not None:
            self._done(offset + 1)


class Repeated(Gathered):
    """A container in the value of a repeated member: its texts are kept apart."""

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if kind == _STRING and name not in (None, b"content", b"text"):
            return Want.SKIP
        return super().begin(reader, name, kind, offset)


class Aside(Context):
    """A container whose strings all go to `sink`."""

    def __init__(self, sink: list[Said], depth: int = 0) -> None:
        self._sink = sink
        self._depth = depth

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        return reader.want_aside(self._sink, kind, offset, self._depth + 1)
