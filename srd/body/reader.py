"""Reads what a request asks: model, parameters, texts and counts, while the bytes pass.

Why this file exists: it is the one listener that turns the scanner's events into evidence. It holds
texts in bounded memory and skips what is not text. It must not know signals, edits or gateways.

Roles may come after content, a part's type after its text; then the text becomes visible when they
are known. Of repeated members that count once (`shapes.ONCE`, `shapes.ONCE_IN_TURN`) the first one
is evidence; the texts of later ones, which never leave, are kept apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from srd.body import lexis
from srd.body.contexts import BLANKS, Context, Repeated, Root
from srd.body.lexis import decode_string
from srd.body.listener import Want
from srd.body.named import NamedRoot
from srd.body.prompt import Counts, Message, ModelSeen, Prompt
from srd.body.shapes import KNOWN_PARAMS, Shape
from srd.body.text import BoundedText, TextDecoder, decode_body
from srd.signals.base import MessageFacts

_OBJECT, _ARRAY, _STRING = b'{["'
_PARAMS = 32  # small scalars that are kept beside the known ones
_PARAM_BYTES = 256
_NAMES = 16  # of repeated members
_MOST_NAMES = 1024  # of models, where nothing else counts
_DEPTH = 8  # down to which texts of a repeated member are read
#: As upstream: at most 32 entries, keys of 128 and values of 1024 bytes.
_METADATA, _METADATA_KEY, _METADATA_VALUE = 32, 128, 1024


class PromptReader:
    """Listens to a strict scanner. All attributes may be read at any time."""

    def __init__(self, shape: Shape, limit: int) -> None:
        self.shape = shape
        self.model: ModelSeen | None = None
        self.members = 0
        self.stands_in = False  # a member that is legal instead of turns has passed
        self.duplicates: list[str] = []
        self.names: dict[str, None] = {}  # of models, in order, where the shape wants them all
        self.names_missed = False
        self.prompt = Prompt(limit)
        self.tool_definitions = 0
        self.tool_bytes = 0
        self.counts = Counts()
        self._limit = limit
        self._params: dict[str, object] = {}
        self._leading: dict[str, object] | None = None
        self._metadata: dict[str, str] = {}
        self._message: Message | None = None
        self._contexts: list[Context] = []
        self._entering: Context = NamedRoot() if shape.names_only else Root()
        self._name: bytes | None = None
        self._decoder = TextDecoder()
        self._target: BoundedText | None = None
        self._joined = True
        self._repeated: BoundedText | None = None

    def __repr__(self) -> str:
        return f"<PromptReader model={self.model} {self.prompt!r}>"

    @property
    def params(self) -> Mapping[str, object]:
        """Small top-level scalars by name."""
        return MappingProxyType(self._params)

    @property
    def leading_params(self) -> Mapping[str, object]:
        """Those in front of the turns: however the body is cut, they are known when it is judged
        before its end."""
        return MappingProxyType(self._params if self._leading is None else self._leading)

    def leave_front(self) -> None:
        """The turns begin."""
        if self._leading is None:
            self._leading = dict(self._params)

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
            tool_loop=counts.tool_loop,
            by_role=MappingProxyType(dict(counts.by_role)),
            images=counts.images,
            tool_definitions=self.tool_definitions,
            assistant_tool_calls=counts.calls,
            tool_results=counts.results,
            has_assistant_text=counts.assistant_text,
            text_bytes=counts.text_bytes + passing,
            structured_bytes=counts.structured_bytes + self.tool_bytes,
            result_bytes=counts.result_bytes,
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
        if self._repeated is not None:
            self.prompt.add_duplicate(self._repeated.value())
            self._repeated = None
        self._contexts[-1].end(self, offset)

    def close(self, offset: int) -> None:
        """The entered container has ended."""
        self._contexts.pop().close(self, offset)
        self._name = None  # the next value in an array has no name

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

    def enter(self, context: Context) -> Want:
        """The container that begins is `context`."""
        self._entering = context
        return Want.ENTER

    def start_turns(self) -> None:
        """The conversation begins."""
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
            self.counts.text_bytes += message.text.size_bytes

    def set_role(self, role: str) -> None:
        """The passing message's role is known now."""
        message = self.message
        message.role = role
        if role == "user":
            self.prompt.show(message)

    @property
    def message(self) -> Message:
        """The passing message."""
        if self._message is None:
            raise AssertionError("no message is passing")
        return self._message

    def note_repeated(self, name: bytes) -> None:
        """A member that counts once was met again."""
        text = name.decode("utf-8", "replace")
        if text not in self.duplicates and len(self.duplicates) < _NAMES:
            self.duplicates.append(text)

    def add_name(self, raw: bytes | None) -> None:
        """A model's name, or a null in its place; one that is too long for a token is nobody's."""
        value = decode_string(raw) if raw is not None and raw[0] == _STRING else None
        if value is None:
            return
        if len(self.names) < _MOST_NAMES:
            self.names[value.strip(BLANKS)] = None
        else:
            self.names_missed = self.names_missed or value.strip(BLANKS) not in self.names

    def want_repeated(self, kind: int, depth: int) -> Want:
        """A value that may hold texts of a repeated member."""
        if kind == _STRING:
            self._repeated = BoundedText(self._limit)
            return self.want_text(self._repeated)
        if kind in (_OBJECT, _ARRAY) and depth < _DEPTH:
            return self.enter(Repeated(depth))
        return Want.SKIP

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
