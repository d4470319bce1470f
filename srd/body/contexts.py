"""What the reader makes of each place in a request body.

Why this file exists: a body's root, its conversation, a message, a content part and the tools are
read by different rules; each is a context here. It must not know bytes, nor bound what it finds:
`reader` keeps the evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srd.body import lexis
from srd.body.lexis import decode_string
from srd.body.listener import Want
from srd.body.prompt import ModelSeen, Said
from srd.body.scanner import TOKEN_LIMIT
from srd.body.shapes import (
    ARGUMENTS,
    ATTACHED,
    CALL_PARTS,
    HOLDERS,
    IMAGE_PARTS,
    ONCE,
    ONCE_IN_PART,
    ONCE_IN_TURN,
    RESULT_PARTS,
    SEALED_PARTS,
    SIGNATURES,
    TEXT_PARTS,
    TURN_ITEMS,
    may_be_signed,
)

if TYPE_CHECKING:
    from srd.body.reader import PromptReader

_OBJECT, _ARRAY, _STRING, _NULL = b'{["n'
_CALL_DEPTH = 4  # down to which a call is searched for signatures
#: What may stand around a model's name and is no part of it.
BLANKS = " \t\r\n"


class Context:
    """A container that was entered: what it wants of each value in it."""

    shortcut = False  # its elements are messages that may be taken whole

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        """A value of member `name` (None in arrays) begins."""
        return Want.SKIP

    def pass_over(self, reader: PromptReader, data: bytes, at: int) -> int:
        """An object begins at data[at]: where it ends, if it is all here, what tools say is not
        wanted, and it was counted without a closer look; else 0."""
        return 0

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        """The token that `begin` asked for."""

    def end(self, reader: PromptReader, offset: int) -> None:
        """A value that was not entered has ended."""

    def close(self, reader: PromptReader, offset: int) -> None:
        """The container has ended."""


class Root(Context):
    """The body itself."""

    def __init__(self) -> None:
        self._name: bytes | None = None
        self._offset = 0
        self._text = False
        self._met: set[bytes] = set()  # of ONCE
        self._model: str | None = None
        self._exact = False
        self._model_open = False  # the first model's value, a string or null, has not ended

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        reader.members += 1
        self._name, self._offset, self._text = name, offset, False
        shape = reader.shape
        if name == b"model":
            return self._begin_model(reader, kind, offset)
        if name is not None and name in ONCE:
            if name in self._met:
                self._name = None
                reader.note_repeated(name)
                return reader.want_repeated(kind, offset)
            self._met.add(name)
        if name in shape.instead and kind != _NULL:
            reader.stands_in = True
        if name == shape.turns:
            return self._turns(reader, kind, offset)
        if name is not None and name == shape.system:
            return self._system(reader, kind, offset)
        if kind == _ARRAY and name in (b"tools", b"functions"):
            return reader.enter(_Tools(offset))
        if name == b"prompt_embeds" and kind != _NULL:
            reader.prompt.hidden = True
        if kind == _OBJECT and name == b"metadata":
            reader.clear_metadata()
            return reader.enter(_Metadata())
        if kind not in (_OBJECT, _ARRAY):
            return Want.TOKEN
        reader.drop_param(name)
        return Want.SKIP

    def _begin_model(self, reader: PromptReader, kind: int, offset: int) -> Want:
        if b"model" in self._met:
            reader.note_repeated(b"model")
            return Want.SKIP
        self._met.add(b"model")
        if kind in (_STRING, _NULL):
            self._model_open = True
            return Want.TOKEN
        self._see(reader, None, offset + 1)
        return Want.SKIP

    def _see(self, reader: PromptReader, value: str | None, end: int) -> None:
        self._model_open = False
        reader.model = ModelSeen(value, self._offset, end, self._exact, reader.attached)

    def _turns(self, reader: PromptReader, kind: int, offset: int) -> Want:
        if kind == _ARRAY:
            reader.start_turns()
            return reader.enter(_Turns(plain=reader.shape.plain_turns))
        if kind == _STRING and reader.shape.turns != b"messages":
            reader.start_turns()
            reader.start_message("user")
            self._text = True
            return reader.want_text(reader.message_text(offset + 1))
        return Want.SKIP

    def _system(self, reader: PromptReader, kind: int, offset: int) -> Want:
        if kind not in (_ARRAY, _STRING):
            return Want.SKIP
        reader.start_message("system", outside=True)
        if kind == _ARRAY:
            return reader.enter(_Parts(alone=True))
        self._text = True
        return reader.want_text(reader.message_text(offset + 1))

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        if self._name != b"model":
            reader.set_param(self._name, raw)
        elif raw is None:
            self._see(reader, None, self._offset + TOKEN_LIMIT + 1)
        else:
            value = decode_string(raw) if raw[0] == _STRING else ""
            self._model = None if value is None else value.strip(BLANKS)
            self._exact = raw[0] == _STRING and self._model == value

    def end(self, reader: PromptReader, offset: int) -> None:
        if self._model_open:
            self._see(reader, self._model, offset)
        if self._text:
            self._text = False
            is_turn = self._name == reader.shape.turns
            reader.finish_message(counted=is_turn)
            if is_turn:
                reader.end_turns(offset)


class Gathered(Context):
    """A container whose strings are all texts of nobody's message: what tools say."""

    def __init__(self, depth: int) -> None:
        self._depth = depth

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        return reader.want_tool(kind, offset, self._depth + 1)


class Repeated(Gathered):
    """A container in the value of a repeated member: its texts are kept apart."""

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if kind == _STRING and name not in (None, b"content", b"text"):
            return Want.SKIP
        return reader.want_repeated(kind, offset, self._depth + 1)


class _Metadata(Context):
    def __init__(self) -> None:
        self._name: bytes | None = None

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._name = name
        return Want.TOKEN if kind == _STRING else Want.SKIP

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        reader.set_metadata(self._name, raw)


class _Tools(Context):
    """The tool definitions: counted, their bytes too."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._count = 0

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._count += 1
        return reader.want_tool(kind, offset)

    def close(self, reader: PromptReader, offset: int) -> None:
        reader.tool_definitions = self._count
        reader.tool_bytes = offset + 1 - self._offset


class _Turns(Context):
    """The conversation's array."""

    def __init__(self, *, plain: bool) -> None:
        self.shortcut = not plain
        self._plain = plain
        self._text = False

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if kind == _STRING and self._plain:
            reader.start_message("user")
            self._text = True
            return reader.want_text(reader.message_text(offset + 1))
        if kind == _OBJECT and not self._plain:
            reader.start_message("")
            return reader.enter(_Turn(offset))
        if self._plain:
            reader.prompt.hidden = True  # token ids
        return Want.SKIP

    def end(self, reader: PromptReader, offset: int) -> None:
        if self._text:
            self._text = False
            reader.finish_message()

    def close(self, reader: PromptReader, offset: int) -> None:
        reader.end_turns(offset + 1)


class _Turn(Context):
    """One message, or one item of a Responses input."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._name: bytes | None = None
        self._structured = -1
        self._result = _Tally()
        self._part: Said | None = None  # a text of an item that is a content part itself
        self._met: list[bytes] = []  # of ONCE_IN_TURN

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._name = name
        if name is not None and name in ONCE_IN_TURN:
            if name in self._met:
                reader.note_repeated(name)
                spoken = name in (b"content", b"text")
                return reader.want_repeated(kind, offset) if spoken else Want.SKIP
            self._met.append(name)
        if kind == _STRING and name in (b"role", b"type"):
            return Want.TOKEN
        if name == b"content":
            if kind == _STRING:
                return reader.want_text(reader.message_text(offset + 1))
            return reader.enter(_Parts()) if kind == _ARRAY else Want.SKIP
        if name == b"text" and kind == _STRING and reader.shape.items:
            self._part = reader.new_text(offset + 1)
            return reader.want_text(self._part)
        return self._structure(reader, name, kind, offset)

    def _structure(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        """What is no text of the message's own."""
        if name == b"tool_calls" and kind == _ARRAY:
            return reader.enter(_Calls(offset))
        if name in (b"function_call", b"arguments") and kind in (_OBJECT, _STRING):
            reader.message.calls += name == b"function_call"
            self._structured = offset
            return reader.want_tool(kind, offset) if kind == _STRING else Want.SKIP
        if name == b"output":
            return self._result.begin(reader, kind, offset)
        if name in SIGNATURES and kind == _STRING:
            reader.message.bound = name.decode() if name else ""
        if name == b"name" and kind == _STRING:
            return reader.want_tool(kind, offset)
        return Want.SKIP

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        value = (decode_string(raw) if raw is not None and len(raw) <= 66 else None) or "other"
        if self._name == b"role":
            reader.set_role(value)
        else:
            reader.message.item = value

    def end(self, reader: PromptReader, offset: int) -> None:
        if self._structured >= 0:
            reader.counts.structured_bytes += offset - self._structured
            self._structured = -1
        self._result.end(offset)

    def close(self, reader: PromptReader, offset: int) -> None:
        message = reader.message
        message.calls += message.item in CALL_PARTS
        if message.item in RESULT_PARTS:
            self._result.count(reader)
        if self._part is not None and message.item in TEXT_PARTS:
            message.texts.append(self._part)
        if not message.role and reader.shape.items and message.item in TURN_ITEMS:
            message.role = "user"  # Responses items need no role
        reader.finish_message()


class _Calls(Context):
    """An assistant message's tool calls."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        reader.message.calls += 1
        return reader.enter(_Call()) if kind == _OBJECT else Want.SKIP

    def pass_over(self, reader: PromptReader, data: bytes, at: int) -> int:
        match = lexis.VALUE.match(data, at)
        if match is None or may_be_signed(data, at, match.end()):
            return 0
        reader.message.calls += 1
        return match.end()

    def close(self, reader: PromptReader, offset: int) -> None:
        reader.counts.structured_bytes += offset + 1 - self._offset


class _Call(Context):
    """One tool call, and what a model signed in it."""

    def __init__(self, depth: int = 0) -> None:
        self._depth = depth

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if kind == _STRING:
            if name in SIGNATURES:
                reader.message.bound = name.decode() if name else ""
                return Want.SKIP
            return reader.want_tool(kind, offset)
        if name in ARGUMENTS:  # nobody signs in there
            return reader.want_tool(kind, offset)
        if kind == _OBJECT and self._depth < _CALL_DEPTH:
            return reader.enter(_Call(self._depth + 1))
        return Want.SKIP


class _Parts(Context):
    """A content array. `alone`: it is a top-level system text, not a message's content."""

    def __init__(self, *, alone: bool = False) -> None:
        self._alone = alone

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if kind == _OBJECT:
            return reader.enter(_Part(offset))
        if kind == _STRING:
            return reader.want_text(reader.message_text(offset + 1))
        return Want.SKIP

    def close(self, reader: PromptReader, offset: int) -> None:
        if self._alone:
            reader.finish_message(counted=False)


class _Part(Context):
    """One content part: its text counts when its type is a text's, or missing."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._name: bytes | None = None
        self._type: str | None = None
        self._signed = False
        self._pending: Said | None = None
        self._result = _Tally()
        self._met: list[bytes] = []  # of ONCE_IN_PART

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._name = name
        if (repeated := _repeated_in_part(reader, name, kind, offset, self._met)) is not None:
            return repeated
        if kind == _STRING:
            return self._string(reader, name, offset)
        if name == b"content":  # of a tool's result
            return self._result.begin(reader, kind, offset)
        if kind == _OBJECT and name in HOLDERS:
            return reader.enter(_Attachment())
        if name == b"input":  # of a tool's call
            return reader.want_tool(kind, offset)
        return Want.SKIP

    def _string(self, reader: PromptReader, name: bytes | None, offset: int) -> Want:
        if name == b"type":
            return Want.TOKEN
        if name in ATTACHED:
            return reader.skip_attachment(offset)
        if name in SIGNATURES:
            self._signed = True
        if name == b"content":
            return self._result.begin(reader, _STRING, offset)
        if name != b"text" or (self._type is not None and self._type not in TEXT_PARTS):
            named = name in (b"name", b"filename", b"title", b"text")
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
            return
        message.images += self._type in IMAGE_PARTS
        if self._type in RESULT_PARTS:
            self._result.count(reader)
        if self._type in CALL_PARTS:
            message.calls += 1
            reader.counts.structured_bytes += offset + 1 - self._offset


class _Tally:
    """What a tool returned, in a part or an item whose type may come later."""

    def __init__(self) -> None:
        self.bytes = 0
        self.images = 0
        self._start = -1

    def begin(self, reader: PromptReader, kind: int, offset: int) -> Want:
        """The value begins. A list is entered: a picture in it is no text of its size."""
        if kind == _ARRAY:
            return reader.enter(_Result(self))
        self._start = offset
        return reader.want_tool(kind, offset) if kind == _STRING else Want.SKIP

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


class _Result(Context):
    """The parts that a tool returned, and each of them (`start`): a picture is no text of its
    size."""

    def __init__(self, tally: _Tally, start: int = -1) -> None:
        self._tally = tally
        self._start = start
        self._image = False
        self._met: list[bytes] = []  # of ONCE_IN_PART

    def pass_over(self, reader: PromptReader, data: bytes, at: int) -> int:
        match = lexis.TEXT_PART.match(data, at) if self._start < 0 else None
        if match is None:
            return 0
        self._tally.bytes += match.end() - at
        return match.end()

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if (repeated := _repeated_in_part(reader, name, kind, offset, self._met)) is not None:
            return repeated
        if kind == _OBJECT and name is None:
            return reader.enter(_Result(self._tally, offset))
        if kind == _OBJECT and name in HOLDERS:
            return reader.enter(_Attachment())
        if kind == _ARRAY and name == b"content":
            return reader.enter(_Result(self._tally))
        if kind != _STRING:
            return Want.SKIP
        if name == b"type":
            return Want.TOKEN
        if name in ATTACHED:
            return reader.skip_attachment(offset)
        return reader.want_tool(kind, offset) if name in (None, b"text") else Want.SKIP

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
