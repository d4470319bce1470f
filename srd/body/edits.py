"""From a Rewrite to splices: which bytes of a document become which others.

Why this file exists: it listens to a loose scanner and decides, member by member, what is replaced,
dropped or inserted, so that the result is valid JSON whatever stands first, middle or last. It must
not know the bytes themselves: it sees offsets and small tokens, `splice` owns the buffer.

`hold` is the earliest offset that an undecided edit may still change; everything before it is
settled. It never lies more than LIMIT (and one small token) behind the scanner: an edit that would
need more is let go (`missed`) or becomes one that needs less, by rules that look at offsets only,
so that the output does not depend on how the input was cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from srd.body import lexis
from srd.body.rewrite import Rewrite, SystemPrompt
from srd.body.scanner import KEY_LIMIT, Want
from srd.body.shapes import Shape

#: Bytes that one undecided edit may hold back.
LIMIT = 65536
_SLACK = KEY_LIMIT + 16  # a key that has begun but is not told yet
_NUMBER_BYTES = 64

_OBJECT, _ARRAY, _STRING = b'{["'
_NUMBER_STARTS = frozenset(b"-0123456789")
_MODEL = b"model"
_SETTLED, _WAITING, _BEGUN = range(3)
_NOTED = 256


@dataclass(frozen=True, slots=True)
class Splice:
    """The document's bytes [start, end) become `new`."""

    start: int
    end: int
    new: bytes


def member(name: bytes | str, value: bytes) -> bytes:
    """`"name":value`."""
    text = name if isinstance(name, str) else name.decode("utf-8", "replace")
    return lexis.encode_string(text) + b":" + value


def _object(members: Mapping[str, bytes | None]) -> bytes | None:
    """A new object of the members that have a value; None when there are none."""
    parts = [member(name, value) for name, value in members.items() if value is not None]
    return b"{" + b",".join(parts) + b"}" if parts else None


class _Context:
    """An entered container."""

    def key(self, edits: Edits, name: bytes | None, start: int) -> None:
        """A member of this object."""

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        """A value in this container."""
        return Want.SKIP

    def token(self, edits: Edits, raw: bytes | None) -> None:
        """The token that `begin` asked for."""

    def end(self, edits: Edits, offset: int) -> None:
        """A value that was not entered has ended."""

    def comma(self, edits: Edits, offset: int) -> None:
        """A comma of this container."""

    def close(self, edits: Edits, offset: int) -> None:
        """Its closing bracket."""

    def pressure(self, edits: Edits, at: int) -> None:
        """Everything before `at` is scanned: let go of what is held for too long."""


class Edits:
    """Listens to a loose scanner; decided splices gather in `decided`.

    `front`: the document is known to have members, but no model: insert it first. `tail`:
    models are dropped instead of replaced, and the closing brace stays held until `settle`.
    """

    def __init__(
        self, rewrite: Rewrite, shape: Shape, *, front: bool = False, tail: bool = False
    ) -> None:
        self.rewrite = rewrite
        self.shape = shape
        self.tail = tail
        self.decided: list[Splice] = []
        self.hold: int | None = None
        self.explicit_model = False
        self.missed_system_prompt = rewrite.system_prompt is not None
        self.closed_at: int | None = None
        self.replaced_model = False
        self._front = front and rewrite.model is not None and not tail
        self._swallow = -1
        self._swallow_new = b""
        self._streaming = False
        inserts = _top_inserts(rewrite, shape)
        if tail:
            inserts.pop(_MODEL, None)  # `settle` brings it
        plan = _top_plan(rewrite, shape, tail=tail)
        self._top = _Members(plan, rewrite.keep_only, inserts, note_all=tail)
        self._contexts: list[_Context] = []
        self._entering: _Context = self._top

    def __repr__(self) -> str:
        return f"<Edits {len(self.decided)} decided, hold={self.hold}>"

    @property
    def inert(self) -> bool:
        """True when no byte to come can change any more."""
        return self.explicit_model

    # -- the scanner's events

    def key(self, name: bytes | None, start: int) -> None:
        """A member of the entered object."""
        self._contexts[-1].key(self, name, start)

    def begin(self, kind: int, offset: int) -> Want:
        """A value begins."""
        if not self._contexts:
            self._contexts.append(self._top)
            if self._front:
                self._top.insert_first(self, offset + 1)
            self._top.open(self, offset + 1)
            return Want.ENTER
        want = self._contexts[-1].begin(self, kind, offset)
        if want is Want.ENTER:
            self._contexts.append(self._entering)
        return want

    def token(self, raw: bytes | None) -> None:
        """A small value, whole."""
        self._contexts[-1].token(self, raw)

    def shortcut(self, data: bytes, at: int) -> int:
        """Nothing is taken whole."""
        return 0

    def text(self, raw: bytes) -> None:
        """No text is asked for."""

    def end(self, offset: int) -> None:
        """A value that was not entered has ended."""
        if self._swallow >= 0:
            self.decided.append(Splice(self._swallow, offset, self._swallow_new))
            self._swallow, self.hold = -1, None
        self._contexts[-1].end(self, offset)

    def close(self, offset: int) -> None:
        """The entered container has ended."""
        context = self._contexts.pop()
        if self._contexts:
            context.close(self, offset)
            return
        self.closed_at = offset
        self.hold = offset if self.tail and not self.inert else None
        if not self.inert and not self.tail:
            self._insert_absent(offset)

    def comma(self, offset: int) -> None:
        """A comma of the entered container."""
        self._contexts[-1].comma(self, offset)

    def pressure(self, at: int) -> None:
        """All before `at` is scanned; called at the end of each piece and at a failure."""
        if self._swallow >= 0:
            if self._streaming or at - self._swallow > LIMIT:
                self._streaming = True
                self.decided.append(Splice(self._swallow, at, self._swallow_new))
                self._swallow, self._swallow_new, self.hold = at, b"", at
        elif self.hold is not None:
            for context in self._contexts:
                context.pressure(self, at)

    # -- what contexts do with them

    def enter(self, context: _Context) -> Want:
        """The container that begins is `context`."""
        self._entering = context
        return Want.ENTER

    def swallow(self, start: int, new: bytes) -> Want:
        """From `start` to the end of the value at hand: `new` instead."""
        self._swallow, self._swallow_new, self._streaming = start, new, False
        self.hold = start
        return Want.SKIP

    def insert(self, offset: int, new: bytes) -> None:
        """New bytes before `offset`."""
        self.decided.append(Splice(offset, offset, new))

    def cancel(self) -> None:
        """An explicit model: what is not decided yet will not be."""
        self.explicit_model = True
        self.hold = None

    def settle(self, rewrite: Rewrite) -> None:
        """Tail mode: the members that go before the closing brace are known now."""
        if self.inert or not self.tail:
            return
        self.tail = False
        inserts = _top_inserts(rewrite, self.shape)
        if self._top.kept_model:
            inserts.pop(_MODEL, None)
        for name, value in inserts.items():
            if name not in self._top.seen:
                self._top.inserts[name] = value
        if rewrite.system_prompt:
            self.missed_system_prompt = True
        if self.closed_at is not None:
            self.hold = None
            self._insert_absent(self.closed_at)

    def _insert_absent(self, offset: int) -> None:
        if self.shape.system in self._top.inserts:
            self.missed_system_prompt = False
        self._top.insert_last(self, offset, self._top.inserts)


# -- members


class _Action(_Context):
    """What happens to one member: `named` when its key is known, then a value's events."""

    drops = False  # may remove the member

    def named(self, edits: Edits, members: _Members) -> None:
        """The member's key is known. Decide to keep or to drop it."""
        members.keep(edits)


_KEEP = _Action()


class _Drop(_Action):
    drops = True

    def named(self, edits: Edits, members: _Members) -> None:
        members.drop(edits)

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        # A comma that had to be let go needs a member after it.
        return edits.swallow(offset, b"null") if edits.hold is None else Want.SKIP


_DROP = _Drop()


@dataclass(slots=True)
class _Set(_Action):
    """The value becomes `new`."""

    new: bytes

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        return edits.swallow(offset, self.new)


@dataclass(slots=True)
class _Cap(_Action):
    """A number above `most` becomes `most`; one of more than 64 bytes counts as above."""

    most: int
    start: int = 0

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if kind not in _NUMBER_STARTS:
            return Want.SKIP
        self.start = edits.hold = offset
        return Want.TOKEN

    def token(self, edits: Edits, raw: bytes | None) -> None:
        edits.hold = None
        if raw is None or len(raw) > _NUMBER_BYTES or float(raw) > self.most:
            edits.swallow(self.start, b"%d" % self.most)


@dataclass(slots=True)
class _Merge(_Action):
    """Members of an object are set (bytes) or removed (None); a non-object is replaced."""

    inner: Mapping[str, bytes | None]

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if kind == _OBJECT:
            plan: dict[bytes, _Action] = {
                name.encode(): _DROP if value is None else _Set(value)
                for name, value in self.inner.items()
            }
            inserts = {name.encode(): value for name, value in self.inner.items() if value}
            members = _Members(plan, None, inserts)
            members.open(edits, offset + 1)
            return edits.enter(members)
        new = _object(self.inner)
        return Want.SKIP if new is None else edits.swallow(offset, new)


class _Model(_Action):
    """The first model decides: if it may be replaced, every one is, so that parsers that take the
    first and parsers that take the last agree; if it is another name, nothing is edited."""

    def __init__(self, rewrite: Rewrite, *, tail: bool) -> None:
        self.drops = tail
        self._replaceable = rewrite.replaceable
        self._new = None if tail else lexis.encode_string(rewrite.model or "")
        self._members: _Members | None = None
        self._start = 0

    def named(self, edits: Edits, members: _Members) -> None:
        self._members = members
        if self._new is not None:
            members.keep(edits)
        else:
            members.wait(edits)

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        self._start = offset
        if self._members and self._new is None:
            self._members.begin_waiting(edits, offset)
        if kind == _STRING:
            if edits.hold is None:
                edits.hold = offset
            return Want.TOKEN
        self._decide(edits, edits.replaced_model)
        return Want.SKIP

    def token(self, edits: Edits, raw: bytes | None) -> None:
        value = None if raw is None else lexis.decode_string(raw)
        ours = value in self._replaceable or edits.replaced_model
        self._decide(edits, ours)
        if ours:
            edits.replaced_model = True
        else:
            edits.cancel()

    def _decide(self, edits: Edits, ours: bool) -> None:
        members = self._members
        if members is None:
            raise AssertionError("a model without its key")
        if self._new is not None:
            if ours:
                edits.swallow(self._start, self._new)
            else:
                edits.hold = None
        elif not ours:
            members.keep_late(edits)
        elif members.droppable:
            members.drop(edits)
        else:
            edits.swallow(self._start, b"null")


class _Members(_Context):
    """One object whose members are edited: what each key means, and where commas go."""

    def __init__(
        self,
        plan: dict[bytes, _Action],
        keep_only: frozenset[str] | None = None,
        inserts: dict[bytes, bytes] | None = None,
        *,
        note_all: bool = False,
    ) -> None:
        self.seen: set[bytes] = set()  # names that stand in the output (`note_all`), bounded
        self.inserts: dict[bytes, bytes] = {} if inserts is None else inserts
        self.droppable = True
        self.kept_model = False
        self._note_all = note_all
        self._plan = plan
        self._others = _KEEP if keep_only is None else _DROP
        for name in keep_only or ():
            self._plan.setdefault(name.encode(), _KEEP)
        self._may_drop = self._others is _DROP or any(a.drops for a in plan.values())
        self._action: _Action = _KEEP
        self._kept = 0  # members in the output so far
        self._from = 0  # from here on the member at hand may have to be held: brace or comma
        self._comma = -1  # the comma before the member at hand, if it is in the output
        self._key = -1  # where the member at hand starts, once its key is known
        # From a comma until its member is decided; _BEGUN: its value, which is small, has begun.
        self._waiting = _SETTLED

    def insert_first(self, edits: Edits, offset: int) -> None:
        """Begin with the model."""
        edits.insert(offset, member(_MODEL, self.inserts.pop(_MODEL)))
        self._kept = 1

    def open(self, edits: Edits, offset: int) -> None:
        """The object's brace is right before `offset`."""
        self._begin_member(edits, offset, -1)

    def comma(self, edits: Edits, offset: int) -> None:
        if self._kept:
            self._begin_member(edits, offset, offset)
        else:
            edits.decided.append(Splice(offset, offset + 1, b""))
            self._begin_member(edits, offset + 1, -1)

    def _begin_member(self, edits: Edits, offset: int, comma: int) -> None:
        self._from, self._comma, self._key = offset, comma, -1
        self.droppable = True
        if not edits.inert and (self._may_drop or (self._kept and comma < 0)):
            self._waiting, edits.hold = _WAITING, offset

    def key(self, edits: Edits, name: bytes | None, start: int) -> None:
        self._key = start
        if start - self._from > LIMIT:
            self._let_go(edits)
        self._action = _KEEP
        if not edits.inert:
            self._action = self._others if name is None else self._plan.get(name, self._others)
            if name in self._plan and name is not None:
                self.inserts.pop(name, None)
            if self._note_all and name not in (None, _MODEL) and self._action is not _DROP:
                self.note(name)
        self._action.named(edits, self)

    def note(self, name: bytes | None) -> None:
        """The member `name` stands in the output."""
        if name is not None and len(self.seen) < _NOTED:
            self.seen.add(name)

    @property
    def _gap(self) -> int:
        return self._comma if self._comma >= 0 else self._key

    def _let_go(self, edits: Edits) -> None:
        self.droppable, self._waiting, edits.hold = False, _SETTLED, None
        if self._kept and self._comma < 0:  # after a model in front; a member is known to follow
            edits.insert(self._from, b",")
            self._comma = self._from

    def keep(self, edits: Edits) -> None:
        """The member at hand stays."""
        if self._kept and self._comma < 0:
            edits.insert(self._key, b",")
        self._kept += 1
        self._waiting, edits.hold = _SETTLED, None

    def drop(self, edits: Edits) -> None:
        """The member at hand goes, with the comma before it."""
        if not self.droppable:
            self.keep(edits)
            return
        self._waiting = _SETTLED
        edits.swallow(self._gap, b"")

    def wait(self, edits: Edits) -> None:
        """The value will tell."""
        if self.droppable:
            self._waiting, edits.hold = _WAITING, self._gap
        else:
            self.keep(edits)

    def begin_waiting(self, edits: Edits, offset: int) -> None:
        """The value of a member that waits begins; too much space before it means: keep."""
        if self._waiting and offset - self._from > LIMIT:
            self._let_go(edits)
            self.keep(edits)
        elif self._waiting:
            self._waiting = _BEGUN

    def keep_late(self, edits: Edits) -> None:
        """A member that waited stays, unless that was settled before."""
        self.kept_model = True
        if self._waiting:
            self.keep(edits)

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        return self._action.begin(edits, kind, offset)

    def token(self, edits: Edits, raw: bytes | None) -> None:
        self._action.token(edits, raw)

    def close(self, edits: Edits, offset: int) -> None:
        if self._waiting:  # empty, or held for a member that did not come
            self._waiting, edits.hold = _SETTLED, None
        self.insert_last(edits, offset, self.inserts)

    def insert_last(self, edits: Edits, offset: int, inserts: Mapping[bytes, bytes]) -> None:
        """What was absent goes before the closing brace."""
        if inserts:
            text = b",".join(member(name, value) for name, value in inserts.items())
            edits.insert(offset, b"," + text if self._kept else text)
            self._kept += len(inserts)

    def pressure(self, edits: Edits, at: int) -> None:
        told = self._key >= 0
        if self._waiting != _WAITING or at - self._from <= LIMIT + (0 if told else _SLACK):
            return
        self._let_go(edits)
        if told:
            self.keep(edits)


# -- system text


class _System(_Action):
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
                return edits.enter(_FirstPart(self._prompt, edits.decided))
        return edits.swallow(offset, lexis.encode_string(self._prompt.text))


class _Messages(_Action):
    """The chat's messages: the system text goes into, or before, the first one."""

    def __init__(self, prompt: SystemPrompt) -> None:
        self._prompt = prompt

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        return edits.enter(_Turns(self._prompt)) if kind == _ARRAY else Want.SKIP


class _Turns(_Context):
    def __init__(self, prompt: SystemPrompt) -> None:
        self._prompt = prompt
        self._empty = True

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if not self._empty:
            return Want.SKIP
        self._empty = False
        if kind == _OBJECT:
            edits.hold = offset
            return edits.enter(_FirstMessage(self._prompt, offset))
        edits.insert(offset, _system_message(self._prompt) + b",")
        edits.missed_system_prompt = False
        return Want.SKIP

    def close(self, edits: Edits, offset: int) -> None:
        if self._empty:
            edits.insert(offset, _system_message(self._prompt))
            edits.missed_system_prompt = False


class _FirstMessage(_Context):
    """messages[0]: its role tells whether it is edited or gets a message before it. Edits of a
    content that came before the role are kept as candidates. A second role changes nothing."""

    def __init__(self, prompt: SystemPrompt, start: int) -> None:
        self._prompt = prompt
        self._start = start
        self._name: bytes | None = None
        self._role = ""  # "", "system", "other", "late"
        self._reading_role = False
        self._content = False
        self._value = -1  # where a content starts that is replaced if the role is system
        self._candidates: list[Splice] = []

    def key(self, edits: Edits, name: bytes | None, start: int) -> None:
        self._name = name

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if self._name == b"role" and not self._role:
            if offset - self._start > LIMIT:
                self._late(edits)
            elif kind != _STRING:
                self._other(edits)
            else:
                self._reading_role = True
                return Want.TOKEN
        elif self._name == b"content" and self._role in ("", "system"):
            self._content = True
            return self._begin_content(edits, kind, offset)
        return Want.SKIP

    def _begin_content(self, edits: Edits, kind: int, offset: int) -> Want:
        sink = edits.decided if self._role else self._candidates
        if self._prompt.mode == "insert":
            if kind == _STRING:
                sink.append(Splice(offset + 1, offset + 1, _inserted(self._prompt)))
                return Want.SKIP
            if kind == _ARRAY:
                return edits.enter(_FirstPart(self._prompt, sink))
        if self._role:
            return edits.swallow(offset, lexis.encode_string(self._prompt.text))
        self._value = offset
        return Want.SKIP

    def token(self, edits: Edits, raw: bytes | None) -> None:
        if raw is None or lexis.decode_string(raw) != "system":
            self._other(edits)
            return
        self._role = "system"
        edits.decided += self._candidates
        edits.hold, edits.missed_system_prompt = None, False

    def end(self, edits: Edits, offset: int) -> None:
        if self._value >= 0:
            new = lexis.encode_string(self._prompt.text)
            self._candidates.append(Splice(self._value, offset, new))
            self._value = -1

    def close(self, edits: Edits, offset: int) -> None:
        if not self._role:
            if offset - self._start > LIMIT:
                self._late(edits)
            else:
                self._other(edits)
        elif self._role == "system" and not self._content:
            edits.insert(offset, b"," + member("content", lexis.encode_string(self._prompt.text)))

    def pressure(self, edits: Edits, at: int) -> None:
        if not self._role and not self._reading_role and at - self._start > LIMIT:
            self._late(edits)

    def _other(self, edits: Edits) -> None:
        self._role = "other"
        edits.insert(self._start, _system_message(self._prompt) + b",")
        edits.hold, edits.missed_system_prompt = None, False

    def _late(self, edits: Edits) -> None:
        self._role, edits.hold = "late", None
        edits.missed_system_prompt = True


class _FirstPart(_Context):
    """A content array that gets one more text part, as its first."""

    def __init__(self, prompt: SystemPrompt, sink: list[Splice]) -> None:
        self._part = b'{"type":"text",' + member("text", lexis.encode_string(prompt.text)) + b"}"
        self._sink = sink
        self._empty = True

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if self._empty:
            self._sink.append(Splice(offset, offset, self._part + b","))
            self._empty = False
        return Want.SKIP

    def close(self, edits: Edits, offset: int) -> None:
        if self._empty:
            self._sink.append(Splice(offset, offset, self._part))


def _inserted(prompt: SystemPrompt) -> bytes:
    """What goes behind the opening quote of an old system text."""
    return lexis.encode_string(prompt.text + "\n\n")[1:-1]


def _system_message(prompt: SystemPrompt) -> bytes:
    return b'{"role":"system",' + member("content", lexis.encode_string(prompt.text)) + b"}"


# -- plans


def _top_plan(rewrite: Rewrite, shape: Shape, *, tail: bool) -> dict[bytes, _Action]:
    """Which top-level member gets which action; what stands later here has precedence."""
    plan: dict[bytes, _Action] = {}
    for name, most in rewrite.cap.items():
        plan[name.encode()] = _Cap(most)
    for name in rewrite.drop:
        plan[name.encode()] = _DROP
    for name, inner in rewrite.merge.items():
        plan[name.encode()] = _Merge(inner)
    for name, value in rewrite.set_members.items():
        plan[name.encode()] = _Set(value)
    if rewrite.system_prompt:
        if shape.system:
            plan[shape.system] = _System(rewrite.system_prompt)
        elif shape.system_message:
            plan[shape.turns] = _Messages(rewrite.system_prompt)
    if rewrite.model is not None or tail:
        plan[_MODEL] = _Model(rewrite, tail=tail)
    return plan


def _top_inserts(rewrite: Rewrite, shape: Shape) -> dict[bytes, bytes]:
    """What is inserted where it is absent, by name."""
    inserts: dict[bytes, bytes] = {}
    if rewrite.model is not None:
        inserts[_MODEL] = lexis.encode_string(rewrite.model)
    for name, value in rewrite.set_members.items():
        inserts[name.encode()] = value
    for name, inner in rewrite.merge.items():
        new = _object(inner)
        if new is not None and name not in rewrite.set_members:
            inserts[name.encode()] = new
    if rewrite.system_prompt and shape.system:
        inserts[shape.system] = lexis.encode_string(rewrite.system_prompt.text)
    return inserts
