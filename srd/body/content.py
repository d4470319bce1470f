"""What the reader makes of a message's content: its parts, and what stands in them.

Why this file exists: whatever a backend may read in a message is a text of its own here, or one
beside it that only guards read. It must not know messages' roles, nor what becomes of a text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from srd.body import lexis
from srd.body.context import Context
from srd.body.lexis import decode_string
from srd.body.listener import Want
from srd.body.prompt import Said
from srd.body.shapes import (
    ATTACHED,
    CALL_PARTS,
    HOLDERS,
    IMAGE_PARTS,
    ONCE_IN_PART,
    OPAQUE_SOURCES,
    RESULT_PARTS,
    SEALED_PARTS,
    SIGNATURES,
    SPOKEN_ASIDE,
    TEXT_PARTS,
)
from srd.signals.base import Origin

if TYPE_CHECKING:
    from srd.body.reader import PromptReader

_OBJECT, _ARRAY, _STRING = b'{["'
_NESTED = 8  # arrays of parts inside each other that are read


class Parts(Context):
    """A content array. `alone`: it is a top-level system text, not a message's content."""

    def __init__(self, *, alone: bool = False, depth: int = 0) -> None:
        self._alone = alone
        self._depth = depth

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if kind == _OBJECT:
            return reader.enter(Part(offset))
        if kind == _STRING:
            return reader.want_text(reader.message_text(offset + 1))
        if kind == _ARRAY and self._depth < _NESTED:  # no API's way, and some server's
            return reader.enter(Parts(depth=self._depth + 1))
        if kind == _ARRAY:
            reader.prompt.hidden = True
        return Want.SKIP

    def pass_over(self, reader: PromptReader, data: bytes, at: int) -> int:
        match = lexis.TEXT_PART.match(data, at)
        if match is None:
            return 0
        reader.whole_text(match[1][1:-1], match.start(1) + 1)
        return match.end()

    def close(self, reader: PromptReader, offset: int) -> None:
        if self._alone:
            reader.finish_message(counted=False)


class Part(Context):
    """One content part: its text counts when its type is a text's, or missing."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._name: bytes | None = None
        self._type: str | None = None
        self._signed = False
        self._pending: Said | None = None
        self._result = Tally()
        self._met: list[bytes] = []  # of ONCE_IN_PART

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._name = name
        if (repeated := _repeated_in_part(reader, name, kind, offset, self._met)) is not None:
            return repeated
        if kind == _STRING:
            return self._string(reader, name, offset)
        if name == b"content":
            return self._content(reader, kind, offset)
        if kind == _OBJECT and name == b"source" and reader.guarded:
            return reader.enter(Source(reader.message.beside))
        if kind == _OBJECT and name in HOLDERS:
            return reader.enter(_Attachment())
        if name in SPOKEN_ASIDE:
            return reader.want_aside(reader.message.beside, kind, offset)
        if name == b"input":  # of a tool's call
            return reader.want_tool(kind, offset)
        return Want.SKIP

    def _content(self, reader: PromptReader, kind: int, offset: int) -> Want:
        """A tool's result, or somebody's words: the part's type tells, which may come later."""
        if reader.guarded and self._type not in RESULT_PARTS:
            self._result.sink = []
        return self._result.begin(reader, kind, offset)

    def _string(self, reader: PromptReader, name: bytes | None, offset: int) -> Want:
        if name == b"type":
            return Want.TOKEN
        if name in ATTACHED:
            return reader.skip_attachment(offset)
        if name in SIGNATURES:
            self._signed = True
        if name == b"content":
            return self._content(reader, _STRING, offset)
        if name != b"text" or (self._type is not None and self._type not in TEXT_PARTS):
            if name in SPOKEN_ASIDE:
                return reader.want_aside(reader.message.beside, _STRING, offset)
            named = name in (b"name", b"filename")
            return reader.want_tool(_STRING, offset) if named else Want.SKIP
        if self._type is not None:
            return reader.want_text(reader.message_text(offset + 1))
        self._pending = reader.new_text(offset + 1)
        return reader.want_text(self._pending)

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        value = decode_string(raw) if raw is not None and len(raw) <= 66 else None
        self._type = value or "other"

    def end(self, reader: PromptReader, offset: int) -> None:
        self._result.end(offset)

    def close(self, reader: PromptReader, offset: int) -> None:
        message = reader.message
        if self._signed or self._type in SEALED_PARTS:
            message.bound = self._type or "signature"
        if self._type is None or self._type in TEXT_PARTS:
            if self._pending is not None:
                message.texts.append(self._pending)
            self._result.tell(reader)
            return
        if self._pending is not None:
            message.beside.append(self._pending)
        message.images += self._type in IMAGE_PARTS
        if self._type in RESULT_PARTS:
            self._result.count(reader)
        else:
            self._result.tell(reader)
        if self._type in CALL_PARTS:
            message.calls += 1
            reader.counts.structured_bytes += offset + 1 - self._offset


class Tally:
    """What a tool returned, in a part or an item whose type may come later."""

    def __init__(self) -> None:
        self.bytes = 0
        self.images = 0
        self.sink: list[Said] | None = None  # of texts that may be no tool's
        self._start = -1

    def want(self, reader: PromptReader, kind: int, offset: int) -> Want:
        """A value whose strings are texts of it."""
        if self.sink is None:
            return reader.want_tool(kind, offset)
        return reader.want_aside(self.sink, kind, offset)

    def tell(self, reader: PromptReader) -> None:
        """It was no tool's result: they are the speaker's words."""
        reader.message.beside += self.sink or []

    def begin(self, reader: PromptReader, kind: int, offset: int) -> Want:
        """The value begins. A list is entered: a picture in it is no text of its size."""
        if kind == _ARRAY:
            return reader.enter(_Result(self))
        if kind == _OBJECT and (reader.tools or self.sink is not None):

            def count(end: int) -> None:
                self.bytes += end - offset

            return reader.enter(_Object(self, count))
        self._start = offset
        return self.want(reader, kind, offset) if kind == _STRING else Want.SKIP

    def end(self, offset: int) -> None:
        """A value that was not entered has ended, perhaps this one."""
        if self._start >= 0:
            self.bytes += offset - self._start
            self._start = -1

    def count(self, reader: PromptReader) -> None:
        """It is a result: that is known now."""
        reader.message.images += self.images
        reader.message.results += 1
        reader.counts.result_bytes += self.bytes
        for said in self.sink or ():
            reader.prompt.add(Origin.TOOLS, said.text.value())


class _Object(Context):
    """A tool's result that is an object."""

    def __init__(self, tally: Tally, done: Callable[[int], None]) -> None:
        self._tally = tally
        self._done = done

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        return self._tally.want(reader, kind, offset)

    def close(self, reader: PromptReader, offset: int) -> None:
        self._done(offset + 1)


class _Result(Context):
    """The parts that a tool returned, and each of them (`start`): a picture is no text of its
    size."""

    def __init__(self, tally: Tally, start: int = -1) -> None:
        self._tally = tally
        self._start = start
        self._image = False
        self._met: list[bytes] = []  # of ONCE_IN_PART

    def pass_over(self, reader: PromptReader, data: bytes, at: int) -> int:
        match = (
            lexis.TEXT_PART.match(data, at)
            if self._start < 0 and self._tally.sink is None and not reader.tools
            else None
        )
        if match is None:
            return 0
        self._tally.bytes += match.end() - at
        return match.end()

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if (repeated := _repeated_in_part(reader, name, kind, offset, self._met)) is not None:
            return repeated
        if kind == _OBJECT and name is None:
            return reader.enter(_Result(self._tally, offset))
        if kind == _OBJECT and name == b"source" and self._wants(reader):
            if self._tally.sink is None:
                self._tally.sink = []
            return reader.enter(Source(self._tally.sink))
        if kind == _OBJECT and name in HOLDERS:
            return reader.enter(_Attachment())
        if kind == _ARRAY and name == b"content":
            return reader.enter(_Result(self._tally))
        if name in SPOKEN_ASIDE or name == b"content" or (name is None and kind == _ARRAY):
            return self._tally.want(reader, kind, offset)
        if kind != _STRING:
            return Want.SKIP
        if name == b"type":
            return Want.TOKEN
        if name in ATTACHED:
            return reader.skip_attachment(offset)
        return self._tally.want(reader, kind, offset) if name is None else Want.SKIP

    def _wants(self, reader: PromptReader) -> bool:
        return reader.tools or self._tally.sink is not None

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        kind = decode_string(raw) if raw is not None and len(raw) <= 66 else None
        self._image = kind in IMAGE_PARTS

    def close(self, reader: PromptReader, offset: int) -> None:
        if self._image:
            self._tally.images += 1
        elif self._start >= 0:
            self._tally.bytes += offset + 1 - self._start


class _Attachment(Context):
    """The object around a picture, a sound or a file."""

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if kind != _STRING:
            return Want.SKIP
        if name in ATTACHED:
            return reader.skip_attachment(offset)
        return reader.want_tool(kind, offset) if name == b"filename" else Want.SKIP


class Source(Context):
    """Where a document or a picture comes from: what is no file's bytes is its text."""

    def __init__(self, sink: list[Said]) -> None:
        self._sink = sink
        self._types: list[str] = []
        self._name: bytes | None = None
        self._data: Said | None = None
        self._passed = False  # a file's bytes went by unread

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._name = name
        if kind == _STRING and name == b"type":
            return Want.TOKEN
        if kind == _STRING and name == b"data":
            return self._bytes(reader, offset)
        if kind == _STRING and name in ATTACHED:
            return reader.skip_attachment(offset)
        if name == b"content":
            return reader.want_aside(self._sink, kind, offset)
        return reader.want_tool(kind, offset) if name == b"filename" else Want.SKIP

    def _bytes(self, reader: PromptReader, offset: int) -> Want:
        reader.skip_attachment(offset)  # its size counts as a file's, whatever it is
        if self._types and OPAQUE_SOURCES.issuperset(self._types):
            self._passed = True
            return Want.SKIP
        said = reader.new_text(offset + 1)
        if self._data is not None:
            self._sink.append(self._data)  # the second of two: one of them may be taken
        self._data = said
        return reader.want_text(said)

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        self._types.append((decode_string(raw) if raw is not None else None) or "other")

    def close(self, reader: PromptReader, offset: int) -> None:
        if self._types and OPAQUE_SOURCES.issuperset(self._types):
            return
        if self._data is not None:
            self._sink.append(self._data)
        if self._passed:  # a file by its first type, and its text by another one
            reader.prompt.hidden = True


def _repeated_in_part(
    reader: PromptReader, name: bytes | None, kind: int, offset: int, met: list[bytes]
) -> Want | None:
    """What is wanted of a member that a part holds again; None where it is the first."""
    if name is None or name not in ONCE_IN_PART:
        return None
    if name not in met:
        met.append(name)
        return None
    reader.note_repeated(name)
    return Want.SKIP if name == b"type" else reader.want_repeated(kind, offset)
