"""Reads what a request asks: model, parameters, texts and counts, while the bytes pass.

Why this file exists: it is the one listener that turns the scanner's events into evidence. It holds
texts in bounded memory and skips what is not text. It must not know signals, edits or gateways.

Roles may come after content, a part's type after its text; then the text becomes visible when they
are known. Of duplicate `messages` members the last one counts; of duplicate keys inside a message
the last one counts, but a text that was already visible stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from srd.body import lexis
from srd.body.lexis import decode_string
from srd.body.listener import Want
from srd.body.prompt import Counts, Message, ModelSeen, Prompt
from srd.body.shapes import CALL_PARTS, IMAGE_PARTS, KNOWN_PARAMS, RESULT_PARTS, TEXT_PARTS, Shape
from srd.body.text import BoundedText, TextDecoder, decode_body
from srd.signals.base import MessageFacts

_OBJECT, _ARRAY, _STRING = b'{["'
_PARAMS = 32  # small scalars that are kept beside the known ones
_PARAM_BYTES = 256
#: Upstream section 1.16: at most 32 entries, keys of 128 and values of 1024 bytes.
_METADATA, _METADATA_KEY, _METADATA_VALUE = 32, 128, 1024


class _Context:
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


class PromptReader:
    """Listens to a strict scanner. All attributes may be read at any time."""

    def __init__(self, shape: Shape, limit: int) -> None:
        self.shape = shape
        self.model: ModelSeen | None = None
        self.members = 0
        self.prompt = Prompt(limit)
        self.tool_definitions = 0
        self.tool_bytes = 0
        self.counts = Counts()
        self._limit = limit
        self._params: dict[str, object] = {}
        self._metadata: dict[str, str] = {}
        self._message: Message | None = None
        self._instructions: Message | None = None
        self._contexts: list[_Context] = []
        self._entering: _Context = _Root()
        self._name: bytes | None = None
        self._decoder = TextDecoder()
        self._target: BoundedText | None = None
        self._joined = True

    def __repr__(self) -> str:
        return f"<PromptReader model={self.model} {self.prompt!r}>"

    @property
    def params(self) -> Mapping[str, object]:
        """Small top-level scalars by name."""
        return MappingProxyType(self._params)

    @property
    def metadata(self) -> Mapping[str, str]:
        """String members of the top-level `metadata`."""
        return MappingProxyType(self._metadata)

    def facts(self) -> MessageFacts:
        """The counts so far; of a message that is still passing, its text."""
        counts = self.counts
        passing = self._message.text.size_bytes if self._message else 0
        return MessageFacts(
            messages=counts.messages,
            last_role=counts.last_role,
            by_role=MappingProxyType(dict(counts.by_role)),
            images=counts.images,
            tool_definitions=self.tool_definitions,
            assistant_tool_calls=counts.calls,
            tool_results=counts.results,
            has_assistant_text=counts.assistant_text,
            text_bytes=counts.text_bytes + passing,
            structured_bytes=counts.structured_bytes + self.tool_bytes,
        )

    # -- the scanner's events

    def key(self, name: bytes | None, start: int) -> None:
        """A member of the entered object."""
        self._name = name

    def begin(self, kind: int, offset: int) -> Want:
        """A value begins."""
        if not self._contexts:
            self._contexts.append(self._entering)
            return Want.ENTER
        want = self._contexts[-1].begin(self, self._name, kind, offset)
        if want is Want.ENTER:
            self._contexts.append(self._entering)
            self._name = None
        return want

    def token(self, raw: bytes | None) -> None:
        """A small value, whole."""
        self._contexts[-1].token(self, raw)

    def text(self, raw: bytes) -> None:
        """A piece of a text."""
        self._add(self._decoder.feed(raw))

    def end(self, offset: int) -> None:
        """A value that was not entered has ended."""
        if self._target is not None:
            self._add(self._decoder.feed(b"", last=True))
            self._target = None
        self._contexts[-1].end(self, offset)

    def close(self, offset: int) -> None:
        """The entered container has ended."""
        self._contexts.pop().close(self, offset)

    def comma(self, offset: int) -> None:
        """Of no interest here."""

    def shortcut(self, data: bytes, at: int) -> int:
        """A whole message, where one may stand and does: where it ends; else 0."""
        if not self._contexts[-1].shortcut:
            return 0
        match = lexis.MESSAGE.match(data, at)
        if match is None:
            return 0
        role, raw = match.groups()
        self.start_message(role.decode())
        self.message.text.add(decode_body(raw))
        self.finish_message()
        return match.end()

    # -- what contexts do with them

    def enter(self, context: _Context) -> Want:
        """The container that begins is `context`."""
        self._entering = context
        return Want.ENTER

    def start_turns(self) -> None:
        """The conversation begins; a second one replaces the first."""
        if self.prompt.has_messages:
            self.prompt, self.counts = Prompt(self._limit), Counts()
            if self._instructions:
                self.prompt.finish(self._instructions)
                self.counts.text_bytes = self._instructions.text.size_bytes
        self.prompt.has_messages = True

    def start_message(self, role: str) -> None:
        """A message begins, its role known or not ("")."""
        self._message = Message(role, self._limit)
        if role == "user":
            self.prompt.show(self._message)

    def finish_message(self, *, counted: bool = True) -> None:
        """The passing message has ended."""
        message, self._message = self._message, None
        if message is None:
            return
        self.prompt.finish(message)
        if counted:
            self.counts.add(message)
        else:
            self._instructions = message
            self.counts.text_bytes += message.text.size_bytes

    def set_role(self, role: str) -> None:
        """The passing message's role is known now."""
        message = self.message
        if message.role == "user" != role:
            self.prompt.hide()
        message.role = role
        if role == "user":
            self.prompt.show(message)

    @property
    def message(self) -> Message:
        """The passing message."""
        if self._message is None:
            raise AssertionError("no message is passing")
        return self._message

    def restart_content(self) -> None:
        """The passing message's content begins."""
        message = self.message
        message.restart(self._limit)
        if message.role == "user":
            self.prompt.show(message)

    def want_text(self, target: BoundedText | None = None) -> Want:
        """The string that begins is a text of the passing message, or goes to `target`."""
        self._decoder = TextDecoder()
        self._target = self.message.text if target is None else target
        self._joined = self._target.size == 0
        return Want.TEXT

    def append_text(self, text: BoundedText) -> None:
        """A part's text turned out to be the passing message's."""
        if text.size:
            self.want_text()
            head, tail = text.parts()
            self._add(head)
            self._add(tail)
            self._target = None

    def set_param(self, name: bytes | None, raw: bytes | None) -> None:
        """A top-level scalar has ended."""
        if name is None or raw is None or len(raw) > _PARAM_BYTES:
            return
        text = name.decode("utf-8", "replace")
        known = text in KNOWN_PARAMS or text in self._params
        if not known and len(self._params) >= _PARAMS + len(KNOWN_PARAMS):
            return
        self._params[text] = decode_string(raw) if raw[0] == _STRING else json.loads(raw)

    def drop_param(self, name: bytes | None) -> None:
        """A later duplicate of a scalar is no scalar."""
        if name is not None and self._params:
            self._params.pop(name.decode("utf-8", "replace"), None)

    def set_metadata(self, name: bytes | None, raw: bytes | None) -> None:
        """A string member of `metadata` has ended."""
        value = None if raw is None else decode_string(raw)
        if name is None or not 0 < len(name) <= _METADATA_KEY or value is None:
            return
        if len(value.encode()) > _METADATA_VALUE:
            return
        text = name.decode("utf-8", "replace")
        if text in self._metadata or len(self._metadata) < _METADATA:
            self._metadata[text] = value

    def clear_metadata(self) -> None:
        """A second `metadata` replaces the first."""
        self._metadata.clear()

    def _add(self, piece: str) -> None:
        if piece and self._target is not None:
            if not self._joined:
                self._joined = True
                self._target.add(" ")
            self._target.add(piece)


class _Root(_Context):
    """The body itself."""

    def __init__(self) -> None:
        self._name: bytes | None = None
        self._offset = 0
        self._text = False

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        reader.members += 1
        self._name, self._offset, self._text = name, offset, False
        shape = reader.shape
        if name == b"model":
            if kind == _STRING:
                return Want.TOKEN
            if reader.model is None:
                reader.model = ModelSeen(None, offset)
            return Want.SKIP
        if name == shape.turns:
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
        elif reader.model is None:
            value = None if raw is None else decode_string(raw)
            reader.model = ModelSeen(value, self._offset)

    def end(self, reader: PromptReader, offset: int) -> None:
        if self._text:
            self._text = False
            reader.finish_message(counted=self._name == reader.shape.turns)


class _Metadata(_Context):
    def __init__(self) -> None:
        self._name: bytes | None = None

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._name = name
        return Want.TOKEN if kind == _STRING else Want.SKIP

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        reader.set_metadata(self._name, raw)


class _Tools(_Context):
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


class _Turns(_Context):
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


class _Turn(_Context):
    """One message, or one item of a Responses input."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._name: bytes | None = None
        self._structured = -1

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._name = name
        if kind == _STRING and name in (b"role", b"type"):
            return Want.TOKEN
        if name == b"content":
            reader.restart_content()
            if kind == _STRING:
                return reader.want_text()
            return reader.enter(_Parts()) if kind == _ARRAY else Want.SKIP
        if name == b"tool_calls" and kind == _ARRAY:
            return reader.enter(_Calls(offset))
        if name in (b"function_call", b"arguments") and kind in (_OBJECT, _STRING):
            reader.message.calls += name == b"function_call"
            self._structured = offset
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

    def close(self, reader: PromptReader, offset: int) -> None:
        message = reader.message
        message.calls += message.item in CALL_PARTS
        message.results += message.item in RESULT_PARTS
        reader.finish_message()


class _Calls(_Context):
    """An assistant message's tool calls."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        reader.message.calls += 1
        return Want.SKIP

    def close(self, reader: PromptReader, offset: int) -> None:
        reader.counts.structured_bytes += offset + 1 - self._offset


class _Parts(_Context):
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


class _Part(_Context):
    """One content part: its text counts when its type is a text's, or missing."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._name: bytes | None = None
        self._type: str | None = None
        self._pending: BoundedText | None = None

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._name = name
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

    def close(self, reader: PromptReader, offset: int) -> None:
        if self._type is None or self._type in TEXT_PARTS:
            if self._pending:
                reader.append_text(self._pending)
            return
        message = reader.message
        message.images += self._type in IMAGE_PARTS
        message.results += self._type in RESULT_PARTS
        if self._type in CALL_PARTS:
            message.calls += 1
            reader.counts.structured_bytes += offset + 1 - self._offset
