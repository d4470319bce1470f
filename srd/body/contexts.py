"""What the reader makes of each place in a request body.

Why this file exists: a body's root, its conversation, a message and the tools are read by different
rules; each is a context here, and `content` has those of a message's parts. It must not know bytes,
nor bound what it finds: `reader` keeps the evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srd.body import lexis
from srd.body.content import Part, Parts, Tally
from srd.body.context import Context, Gathered
from srd.body.lexis import decode_string
from srd.body.listener import Want
from srd.body.prompt import ModelSeen, Said
from srd.body.scanner import TOKEN_LIMIT
from srd.body.shapes import (
    ARGUMENTS,
    CALL_PARTS,
    ONCE,
    ONCE_IN_TURN,
    RESULT_PARTS,
    SIGNATURES,
    SPOKEN_ASIDE,
    TEXT_PARTS,
    TOLD_TO_TOOLS,
    TURN_ITEMS,
    may_be_signed,
)
from srd.signals.base import Origin

if TYPE_CHECKING:
    from srd.body.reader import PromptReader

_OBJECT, _ARRAY, _STRING, _NULL = b'{["n'
_TEXTUAL = frozenset(b'{["')
_FORMATS = frozenset({b"response_format", b"text"})  # of the answer: a schema is told to the model
_CALL_DEPTH = 4  # down to which a call is searched for signatures
#: What may stand around a model's name and is no part of it.
BLANKS = " \t\r\n"


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
        if name in shape.asides and kind in _TEXTUAL:
            reader.drop_param(name)
            return reader.want_stray(kind, offset)
        if kind == _OBJECT and name in _FORMATS:
            reader.drop_param(name)
            return reader.want_tool(kind, offset)
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
            return reader.want_stray(kind, offset)
        reader.start_message("system", outside=True)
        if kind == _ARRAY:
            return reader.enter(Parts(alone=True))
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
        return reader.want_stray(kind, offset)  # no API's way to say something

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
        self._result = Tally()
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
            if kind == _OBJECT:  # no API's way, and some server's
                return reader.enter(Part(offset))
            return reader.enter(Parts()) if kind == _ARRAY else Want.SKIP
        if name == b"text" and kind == _STRING and reader.shape.items:
            self._part = reader.new_text(offset + 1)
            return reader.want_text(self._part)
        if name in SPOKEN_ASIDE:
            return reader.want_aside(reader.message.beside, kind, offset)
        return self._structure(reader, name, kind, offset)

    def _structure(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        """What is no text of the message's own."""
        if name == b"tool_calls" and kind == _ARRAY:
            return reader.enter(_Calls(offset))
        if name in (b"function_call", b"arguments") and kind in (_OBJECT, _STRING):
            reader.message.calls += name == b"function_call"
            return self._call(reader, kind, offset)
        if name in TOLD_TO_TOOLS and reader.shape.items:
            return reader.want_tool(kind, offset)
        if name == b"output":
            return self._result.begin(reader, kind, offset)
        if name in SIGNATURES and kind == _STRING:
            reader.message.bound = name.decode() if name else ""
        if name == b"name" and kind == _STRING:
            return reader.want_tool(kind, offset)
        return Want.SKIP

    def _call(self, reader: PromptReader, kind: int, offset: int) -> Want:
        if kind == _OBJECT and reader.tools:

            def count(end: int) -> None:
                reader.counts.structured_bytes += end - offset

            return reader.enter(Gathered(Origin.TOOLS, 0, count))
        self._structured = offset
        return reader.want_tool(kind, offset) if kind == _STRING else Want.SKIP

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
        if self._part is not None:
            own = message.item in TEXT_PARTS or not message.item
            (message.texts if own else message.beside).append(self._part)
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
        match = None if reader.tools else lexis.VALUE.match(data, at)
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
        return reader.want_tool(kind, offset)
