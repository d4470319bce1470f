"""System prompts: into the first message, before it, or into the member that holds them.

Why this file exists: of all edits this one must look into a message whose role may come after its
content. It must not know which rewrite asked for it.
"""

from __future__ import annotations

import enum

from srd.body import lexis, loose
from srd.body.bound import (
    FIRST_TURN,
    BoundItems,
    BoundParts,
    Marked,
    Turn,
    looks_bound,
    plain_turn,
)
from srd.body.edits import LIMIT, Context, Edits, Splice
from srd.body.listener import Want
from srd.body.members import KEEP, Action, Members, member
from srd.body.parts import PartsArray
from srd.body.rewrite import SystemPrompt
from srd.body.shapes import ONCE_IN_TURN, PARTS_DEPTH, SYSTEM_ROLES

_OBJECT, _ARRAY, _STRING = b'{["'


class System(Action):
    """The top-level member that holds the system text (Responses, Anthropic)."""

    def __init__(self, prompt: SystemPrompt) -> None:
        self._prompt = prompt

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        edits.missed_system_prompt = False
        if self._prompt.mode == "insert":
            if kind == _STRING:
                edits.insert(offset + 1, _inserted(self._prompt))
                return Want.SKIP
            if kind == _ARRAY:
                return edits.enter(_FirstPart(self._prompt, None))
        return edits.swallow(offset, lexis.encode_string(self._prompt.text))


class Turns(Action):
    """The conversation. In each element a repeated name is dropped; where the system text is a
    message (chat), it goes into, or before, the first one. `unbind`: see Rewrite. `items`: an
    element may be what goes then."""

    def __init__(
        self, prompt: SystemPrompt | None, unbind: int = 0, *, items: bool = False
    ) -> None:
        self._prompt = prompt
        self._unbind = unbind
        self._items = items

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if kind != _ARRAY:
            return Want.SKIP
        if self._unbind and self._items:
            return edits.enter(BoundItems(self._unbind))
        return edits.enter(_Turns(self._prompt, self._unbind))


class _Turns(Context):
    def __init__(self, prompt: SystemPrompt | None, unbind: int) -> None:
        self._prompt = prompt  # until the first element has begun
        self._unbind = unbind

    def shortcut(self, data: bytes, at: int) -> int:
        if self._prompt:
            return 0
        suspect = looks_bound if self._unbind else None
        return loose.plain_objects(data, at, ONCE_IN_TURN, PARTS_DEPTH, suspect)

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        prompt, self._prompt = self._prompt, None
        bound = offset < self._unbind
        if kind == _OBJECT:
            if prompt:
                turn: Members = _FirstMessage(edits, prompt, offset, bound=bound)
            else:
                turn = Turn() if bound else plain_turn()
            turn.open(edits, offset + 1)
            return edits.enter(turn)
        if prompt:
            edits.insert(offset, _system_message(prompt) + b",")
            edits.missed_system_prompt = False
        return Want.SKIP

    def close(self, edits: Edits, offset: int) -> None:
        if self._prompt:
            edits.insert(offset, _system_message(self._prompt))
            edits.missed_system_prompt = False


class _Role(enum.Enum):
    """What is known of the first message."""

    UNKNOWN = enum.auto()
    READING = enum.auto()  # its value has begun
    SYSTEM = enum.auto()
    SETTLED = enum.auto()  # another one, or it came too late: the prompt is a message before it


class _FirstMessage(Marked):
    """messages[0]: its role tells whether it is edited or gets a message before it. Edits of a
    content that came before the role are kept as candidates; parts of one that the prompt may still
    replace are not looked into. `bound`: it loses what only the model that made it can read, but in
    a content that comes before the role.

    A role that is more than LIMIT behind is not waited for: the message before it is right for
    every role but a system text's that should have been replaced; the prompt then counts as missed.
    """

    def __init__(self, edits: Edits, prompt: SystemPrompt, start: int, *, bound: bool) -> None:
        super().__init__(FIRST_TURN if bound else {}, once=ONCE_IN_TURN)
        self._prompt = prompt
        self._bound = bound
        self._start = start
        self._role = _Role.UNKNOWN
        self._late = False
        self._content = False
        self._value = -1  # where a content starts that is replaced if the role is system
        self._candidates: list[Splice] = []
        edits.pin(start)

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if self._action is not KEEP:
            return super().begin(edits, kind, offset)
        if self._name == b"role":
            return self._begin_role(edits, kind, offset)
        if self._name == b"content":
            self._content = True
            if self._role is not _Role.SETTLED:
                return self._begin_content(edits, kind, offset)
            if kind == _ARRAY:
                unbinds = self._bound and not self.user
                return edits.enter(BoundParts() if unbinds else PartsArray())
        return Want.SKIP

    def _begin_role(self, edits: Edits, kind: int, offset: int) -> Want:
        if self._role is _Role.UNKNOWN and offset - self._start > LIMIT:
            self._give_up(edits)
        if kind == _STRING:
            if self._role is _Role.UNKNOWN:
                self._role = _Role.READING
            return Want.TOKEN
        if self._role is _Role.UNKNOWN:
            self._put_before(edits)
        return Want.SKIP

    def _begin_content(self, edits: Edits, kind: int, offset: int) -> Want:
        known = self._role is _Role.SYSTEM
        sink = None if known else self._candidates
        if self._prompt.mode == "insert":
            if kind == _STRING:
                new = Splice(offset + 1, offset + 1, _inserted(self._prompt))
                (edits.decided if sink is None else sink).append(new)
                return Want.SKIP
            if kind == _ARRAY:
                return edits.enter(_FirstPart(self._prompt, sink))
        if known:
            return edits.swallow(offset, lexis.encode_string(self._prompt.text))
        self._value = offset
        return Want.SKIP

    def token(self, edits: Edits, raw: bytes | None) -> None:
        if self._name != b"role":
            return
        role = None if raw is None else lexis.decode_string(raw)
        system, self.user = role in SYSTEM_ROLES, role == "user"
        if self._role is _Role.READING:
            if system:
                self._role = _Role.SYSTEM
                edits.unpin(self._start)
                edits.decided += self._candidates
                edits.missed_system_prompt = False
            else:
                self._put_before(edits)
        elif self._late and system and self._prompt.mode == "replace":
            edits.missed_system_prompt = True

    def end(self, edits: Edits, offset: int) -> None:
        if self._value >= 0:
            new = lexis.encode_string(self._prompt.text)
            self._candidates.append(Splice(self._value, offset, new))
            self._value = -1

    def close(self, edits: Edits, offset: int) -> None:
        if self._role is _Role.UNKNOWN:
            self._put_before(edits)
        elif self._role is _Role.SYSTEM and not self._content:
            self.inserts[b"content"] = lexis.encode_string(self._prompt.text)
        super().close(edits, offset)

    def pressure(self, edits: Edits, at: int) -> None:
        if self._role is _Role.UNKNOWN and at - self._start > LIMIT:
            self._give_up(edits)
        super().pressure(edits, at)

    def let_go(self, edits: Edits, at: int) -> None:
        self._settle_now(edits)
        super().let_go(edits, at)

    def cut_off(self, edits: Edits, at: int) -> None:
        self._settle_now(edits)
        super().cut_off(edits, at)

    def _settle_now(self, edits: Edits) -> None:
        if self._role in (_Role.UNKNOWN, _Role.READING):
            self._give_up(edits)

    def _give_up(self, edits: Edits) -> None:
        self._late = True
        self._put_before(edits)

    def _put_before(self, edits: Edits) -> None:
        self._role = _Role.SETTLED
        edits.unpin(self._start)
        self._value = -1
        edits.insert(self._start, _system_message(self._prompt) + b",")
        edits.missed_system_prompt = False


class _FirstPart(PartsArray):
    """A content array that gets one more text part, as its first. Upstream joins the texts of all
    parts to one string; that would cost the parts their other members, such as cache_control."""

    def __init__(self, prompt: SystemPrompt, sink: list[Splice] | None) -> None:
        super().__init__()
        self._text = prompt.text
        self._sink = sink
        self._empty = True

    def shortcut(self, data: bytes, at: int) -> int:
        return 0 if self._empty else super().shortcut(data, at)

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if self._empty:
            self._put(edits, offset, _text_part(self._text + "\n\n") + b",")
            self._empty = False
        return super().begin(edits, kind, offset)

    def close(self, edits: Edits, offset: int) -> None:
        if self._empty:
            self._put(edits, offset, _text_part(self._text))

    def _put(self, edits: Edits, offset: int, new: bytes) -> None:
        sink = edits.decided if self._sink is None else self._sink
        sink.append(Splice(offset, offset, new))


def _text_part(text: str) -> bytes:
    return b'{"type":"text",' + member("text", lexis.encode_string(text)) + b"}"


def _inserted(prompt: SystemPrompt) -> bytes:
    """What goes behind the opening quote of an old system text."""
    return lexis.encode_string(prompt.text + "\n\n")[1:-1]


def _system_message(prompt: SystemPrompt) -> bytes:
    return b'{"role":"system",' + member("content", lexis.encode_string(prompt.text)) + b"}"
