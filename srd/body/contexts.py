"""What the reader makes of each place in a request body.

Why this file exists: a body's root, its conversation, a message, a content part and the tools are
read by different rules; each is a context here. It must not know bytes, nor bound what it finds:
`reader` keeps the evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srd.body.lexis import decode_string
from srd.body.listener import Want
from srd.body.prompt import ModelSeen
from srd.body.scanner import TOKEN_LIMIT
from srd.body.shapes import CALL_PARTS, IMAGE_PARTS, ONCE, ONCE_IN_TURN, RESULT_PARTS, TEXT_PARTS
from srd.body.text import BoundedText

if TYPE_CHECKING:
    from srd.body.reader import PromptReader

_OBJECT, _ARRAY, _STRING, _NULL = b'{["n'
#: What may stand around a model's name and is no part of it.
BLANKS = " \t\r\n"


class Context:
    """A container that was entered: what it wants of each value in it."""

    shortcut = False  # its elements are messages that may be taken whole

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        """A value of member `name` (None in arrays) begins."""
        return Want.SKIP

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
                return reader.want_repeated(kind, 0)
            self._met.add(name)
        if name in shape.instead and kind != _NULL:
            reader.stands_in = True
        if name == shape.turns:
            reader.leave_front()
            return self._turns(reader, kind)
        if name is not None and name == shape.system:
            return self._system(reader, kind)
        if kind == _ARRAY and name in (b"tools", b"functions"):
            return reader.enter(_Tools(offset))
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
        reader.model = ModelSeen(value, self._offset, end, self._exact)

    def _turns(self, reader: PromptReader, kind: int) -> Want:
        if kind == _ARRAY:
            reader.start_turns()
            return reader.enter(_Turns(plain=reader.shape.plain_turns))
        if kind == _STRING and reader.shape.turns != b"messages":
            reader.start_turns()
            reader.start_message("user")
            self._text = True
            return reader.want_text()
        return Want.SKIP

    def _system(self, reader: PromptReader, kind: int) -> Want:
        if kind not in (_ARRAY, _STRING):
            return Want.SKIP
        reader.start_message("system")
        if kind == _ARRAY:
            return reader.enter(_Parts(alone=True))
        self._text = True
        return reader.want_text()

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
            reader.finish_message(counted=self._name == reader.shape.turns)


class Repeated(Context):
    """A container in the value of a repeated member: its texts are kept apart."""

    def __init__(self, depth: int) -> None:
        self._depth = depth

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if kind == _STRING and name not in (None, b"content", b"text"):
            return Want.SKIP
        return reader.want_repeated(kind, self._depth + 1)


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
        return Want.SKIP

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
            return reader.want_text()
        if kind == _OBJECT and not self._plain:
            reader.start_message("")
            return reader.enter(_Turn(offset))
        return Want.SKIP

    def end(self, reader: PromptReader, offset: int) -> None:
        if self._text:
            self._text = False
            reader.finish_message()


class _Result:
    """What a tool returned, in a part or an item whose type may come later."""

    def __init__(self) -> None:
        self.bytes = 0
        self.images = 0
        self._start = -1

    def begin(self, reader: PromptReader, kind: int, offset: int) -> Want:
        """The value begins. A list is entered: a picture in it is no text of its size."""
        if kind == _ARRAY:
            return reader.enter(_ResultParts(self))
        self._start = offset
        return Want.SKIP

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


class _ResultParts(Context):
    """The parts that a tool returned."""

    def __init__(self, result: _Result) -> None:
        self._result = result

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if kind == _OBJECT:
            return reader.enter(_ResultPart(self._result, offset))
        return Want.SKIP


class _ResultPart(Context):
    """One of them."""

    def __init__(self, result: _Result, offset: int) -> None:
        self._result = result
        self._offset = offset
        self._type: str | None = None

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        return Want.TOKEN if name == b"type" and kind == _STRING else Want.SKIP

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        self._type = decode_string(raw) if raw is not None and len(raw) <= 66 else None

    def close(self, reader: PromptReader, offset: int) -> None:
        if self._type in IMAGE_PARTS:
            self._result.images += 1
        else:
            self._result.bytes += offset + 1 - self._offset


class _Turn(Context):
    """One message, or one item of a Responses input."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._name: bytes | None = None
        self._structured = -1
        self._result = _Result()
        self._met: list[bytes] = []  # of ONCE_IN_TURN

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._name = name
        if name is not None and name in ONCE_IN_TURN:
            if name in self._met:
                reader.note_repeated(name)
                spoken = name in (b"content", b"text")
                return reader.want_repeated(kind, 0) if spoken else Want.SKIP
            self._met.append(name)
        if kind == _STRING and name in (b"role", b"type"):
            return Want.TOKEN
        if name == b"content":
            if kind == _STRING:
                return reader.want_text()
            return reader.enter(_Parts()) if kind == _ARRAY else Want.SKIP
        if name == b"tool_calls" and kind == _ARRAY:
            return reader.enter(_Calls(offset))
        if name in (b"function_call", b"arguments") and kind in (_OBJECT, _STRING):
            reader.message.calls += name == b"function_call"
            self._structured = offset
        if name == b"output":
            return self._result.begin(reader, kind, offset)
        return Want.SKIP

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        value = (decode_string(raw) if raw is not None and len(raw) <= 66 else None) or "other"
        if self._name == b"role":
            reader.set_role(value)
        else:
            reader.message.item = value

    def end(self, reader: PromptReader, offset: int) -> None:
        self._result.end(offset)
        if self._structured >= 0:
            reader.counts.structured_bytes += offset - self._structured
            self._structured = -1

    def close(self, reader: PromptReader, offset: int) -> None:
        message = reader.message
        message.calls += message.item in CALL_PARTS
        if message.item in RESULT_PARTS:
            self._result.count(reader)
        reader.finish_message()


class _Calls(Context):
    """An assistant message's tool calls."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        reader.message.calls += 1
        return Want.SKIP

    def close(self, reader: PromptReader, offset: int) -> None:
        reader.counts.structured_bytes += offset + 1 - self._offset


class _Parts(Context):
    """A content array. `alone`: it is a top-level system text, not a message's content."""

    def __init__(self, *, alone: bool = False) -> None:
        self._alone = alone

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        if kind == _OBJECT:
            return reader.enter(_Part(offset))
        return reader.want_text() if kind == _STRING else Want.SKIP

    def close(self, reader: PromptReader, offset: int) -> None:
        if self._alone:
            reader.finish_message(counted=False)


class _Part(Context):
    """One content part: its text counts when its type is a text's, or missing."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._name: bytes | None = None
        self._type: str | None = None
        self._pending: BoundedText | None = None
        self._result = _Result()

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._name = name
        if name == b"content":
            return self._result.begin(reader, kind, offset)
        if kind != _STRING:
            return Want.SKIP
        if name == b"type":
            return Want.TOKEN
        if name != b"text" or (self._type is not None and self._type not in TEXT_PARTS):
            return Want.SKIP
        if self._type is not None:
            return reader.want_text()
        self._pending = BoundedText(reader.prompt.limit)
        return reader.want_text(self._pending)

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        value = decode_string(raw) if raw is not None and len(raw) <= 66 else None
        self._type = value or "other"

    def end(self, reader: PromptReader, offset: int) -> None:
        self._result.end(offset)

    def close(self, reader: PromptReader, offset: int) -> None:
        if self._type is None or self._type in TEXT_PARTS:
            if self._pending:
                reader.append_text(self._pending)
            return
        message = reader.message
        message.images += self._type in IMAGE_PARTS
        if self._type in RESULT_PARTS:
            self._result.count(reader)
        if self._type in CALL_PARTS:
            message.calls += 1
            reader.counts.structured_bytes += offset + 1 - self._offset
