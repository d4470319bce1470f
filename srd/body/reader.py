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
from dataclasses import dataclass
from types import MappingProxyType

from srd.body import lexis
from srd.body.context import Aside, Context, Gathered, Repeated
from srd.body.contexts import BLANKS, Root
from srd.body.lexis import decode_string
from srd.body.listener import Want
from srd.body.named import NamedRoot
from srd.body.prompt import Counts, Message, ModelSeen, Prompt, Said
from srd.body.shapes import KNOWN_PARAMS, Shape
from srd.body.text import TextDecoder, decode_body
from srd.signals.base import MessageFacts, Origin

_OBJECT, _ARRAY, _STRING = b'{["'
_PARAMS = 32  # small scalars that are kept beside the known ones
_PARAM_BYTES = 256
_NAMES = 16  # of repeated members
_MOST_NAMES = 1024  # of models, where nothing else counts
_DEPTH = 8  # down to which texts of a repeated member are read
_MOST_DEPTH = 256  # down to which those of tools and strays are
#: As upstream: at most 32 entries, keys of 128 and values of 1024 bytes.
_METADATA, _METADATA_KEY, _METADATA_VALUE = 32, 128, 1024


@dataclass(frozen=True, slots=True)
class Known:
    """What a body said beside its texts, up to one offset."""

    params: Mapping[str, object]
    metadata: Mapping[str, str]
    facts: MessageFacts


class PromptReader:
    """Listens to a strict scanner. All attributes may be read at any time. `tools`: what tools say
    is wanted too. `base`: the offset of the piece that is being scanned, which the owner sets."""

    def __init__(
        self, shape: Shape, limit: int, *, tools: bool = False, guarded: bool = False
    ) -> None:
        self.shape = shape
        self.tools = tools
        self.guarded = guarded
        self.base = 0
        self.known_at_turns: Known | None = None  # as it stood where the turns ended
        self.model: ModelSeen | None = None
        self.members = 0
        self.stands_in = False  # a member that is legal instead of turns has passed
        self.duplicates: list[str] = []
        self.names: dict[str, None] = {}  # of models, in order, where the shape wants them all
        self.names_missed = False
        self.prompt = Prompt(limit, guarded=guarded)
        self.tool_definitions = 0
        self.tool_bytes = 0
        self.counts = Counts()
        self._limit = limit
        self._params: dict[str, object] = {}
        self._metadata: dict[str, str] = {}
        self._message: Message | None = None
        self._place = 0  # of the next message among the turns
        self._contexts: list[Context] = []
        self._entering: Context = NamedRoot() if shape.names_only else Root()
        self._name: bytes | None = None
        self._decoder = TextDecoder()
        self._target: Said | None = None
        self._origin: Origin | None = None  # of a target that is nobody's message
        self.attached = 0  # bytes of attachments that have ended
        self._attachment = -1  # where the one that passes began

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
        passing = self._message.size_bytes if self._message else 0
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
            self._target.end = offset - 1
            if self._origin is not None:
                self.prompt.add(self._origin, self._target.text.value())
            self._target = self._origin = None
        if self._attachment >= 0:
            self.attached += offset - 1 - self._attachment
            self._attachment = -1
        self._contexts[-1].end(self, offset)

    def close(self, offset: int) -> None:
        """The entered container has ended."""
        self._contexts.pop().close(self, offset)
        self._name = None  # the next value in an array has no name

    def comma(self, offset: int) -> None:
        """Of no interest here."""

    def shortcut(self, data: bytes, at: int) -> int:
        """A whole message, where one may stand and does, or what a context takes whole: where it
        ends; else 0."""
        context = self._contexts[-1]
        if not context.shortcut:
            return context.pass_over(self, data, at)
        match = lexis.MESSAGE.match(data, at)
        if match is None:
            return 0
        role, raw = match.groups()
        self.start_message(role.decode())
        self.whole_text(raw, match.start(2))
        self.finish_message()
        return match.end()

    def whole_text(self, raw: bytes, start: int) -> None:
        """A text of the passing message that is all here, at data[start]."""
        said = self.message_text(self.base + start)
        said.text.add(decode_body(raw))
        said.end = self.base + start + len(raw)

    # -- what contexts do with them

    def enter(self, context: Context) -> Want:
        """The container that begins is `context`."""
        self._entering = context
        return Want.ENTER

    def start_turns(self) -> None:
        """The conversation begins."""
        self.prompt.has_messages = True

    def end_turns(self, offset: int) -> None:
        """The conversation has ended in front of `offset`."""
        self.prompt.turns_end = self.counted(offset)
        self.known_at_turns = self.known()

    def known(self) -> Known:
        """What has been read beside the texts."""
        return Known(dict(self._params), dict(self._metadata), self.facts())

    def start_message(self, role: str, *, outside: bool = False) -> None:
        """A message begins, its role known or not (""); `outside` of the turns."""
        self._message = self.prompt.passing = Message(role, -1 if outside else self._place)
        self._place += not outside

    def finish_message(self, *, counted: bool = True) -> None:
        """The passing message has ended."""
        message, self._message = self._message, None
        if message is None:
            return
        self.prompt.finish(message)
        if counted:
            self.counts.add(message)
        else:
            self.counts.text_bytes += message.size_bytes

    def set_role(self, role: str) -> None:
        """The passing message's role is known now."""
        self.message.role = role

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

    def want_repeated(self, kind: int, offset: int, depth: int = 0) -> Want:
        """A value that may hold texts of a repeated member."""
        return self.want_gathered(Origin.REPEATED, kind, offset, depth)

    def want_tool(self, kind: int, offset: int, depth: int = 0) -> Want:
        """A value whose strings a tool said, or somebody to a tool."""
        if not self.tools:
            return Want.SKIP
        return self.want_gathered(Origin.TOOLS, kind, offset, depth)

    def want_stray(self, kind: int, offset: int) -> Want:
        """A value whose strings a backend may put before the model, though no message says so."""
        return self.want_gathered(Origin.OTHER, kind, offset) if self.guarded else Want.SKIP

    def want_aside(self, sink: list[Said], kind: int, offset: int, depth: int = 0) -> Want:
        """A value whose strings, which only guards read, go to `sink`."""
        if not self.guarded:
            return Want.SKIP
        if kind == _STRING:
            sink.append(said := Said(self._limit, offset + 1))
            return self.want_text(said)
        if kind in (_OBJECT, _ARRAY):
            if depth < _MOST_DEPTH:
                return self.enter(Aside(sink, depth))
            self.prompt.hidden = True
        return Want.SKIP

    def want_gathered(self, origin: Origin, kind: int, offset: int, depth: int = 0) -> Want:
        """A value that may hold texts of nobody's message."""
        repeated = origin is Origin.REPEATED
        if kind == _STRING:
            self._origin = origin
            return self.want_text(Said(self._limit, offset + 1))
        if kind in (_OBJECT, _ARRAY):
            if depth < (_DEPTH if repeated else _MOST_DEPTH):
                return self.enter((Repeated if repeated else Gathered)(origin, depth))
            self.prompt.hidden = self.prompt.hidden or not repeated
        return Want.SKIP

    def message_text(self, start: int) -> Said:
        """A text of the passing message begins at `start`."""
        said = Said(self._limit, start)
        self.message.texts.append(said)
        return said

    def new_text(self, start: int) -> Said:
        """A text that may turn out to be the passing message's."""
        return Said(self._limit, start)

    def want_text(self, target: Said) -> Want:
        """The string that begins is this text."""
        self._decoder = TextDecoder()
        self._target = target
        return Want.TEXT

    def skip_attachment(self, offset: int) -> Want:
        """The string that begins at `offset` is a picture, a sound or a file: its bytes are not
        counted as bytes that had to be read."""
        self._attachment = offset + 1
        return Want.SKIP

    @property
    def attaching(self) -> bool:
        """True inside such a string."""
        return self._attachment >= 0

    def counted(self, offset: int) -> int:
        """Bytes before `offset`, the end of what was scanned, without those of attachments."""
        passing = offset - self._attachment if self._attachment >= 0 else 0
        return offset - self.attached - passing

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
            self._target.text.add(piece)
