"""Members of an object: replaced, dropped, capped, merged, inserted, with the right commas.

Why this file exists: a member can go only together with one comma, and which one depends on what
stays. That rule lives here, for the document's own members and for those of an object in it. It
must not know system prompts or which members a rewrite names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from srd.body import lexis
from srd.body.edits import LIMIT, SLACK, Context, Edits, Splice
from srd.body.listener import Want

MODEL = b"model"

_OBJECT, _STRING = b'{"'
_CONTAINERS = frozenset(b"{[")
_NUMBER_STARTS = frozenset(b"-0123456789I")  # of what counts above a bound, or may
_NOTED = 256
_FIRST = 256


def encode_name(name: str) -> bytes:
    """A member's name as the scanner reports it."""
    return name.encode("utf-8", "surrogatepass")


def member(name: bytes | str, value: bytes) -> bytes:
    """`"name":value`."""
    text = name if isinstance(name, str) else name.decode("utf-8", "replace")
    return lexis.encode_string(text) + b":" + value


def new_object(members: Mapping[str, bytes | None]) -> bytes | None:
    """A new object of the members that have a value; None when there are none."""
    parts = [member(name, value) for name, value in members.items() if value is not None]
    return b"{" + b",".join(parts) + b"}" if parts else None


class Action(Context):
    """What happens to one member: `named` when its key is known, then a value's events."""

    drops = False  # may remove the member

    def named(self, edits: Edits, members: Members) -> None:
        """The member's key is known. Decide to keep or to drop it."""
        members.keep(edits)

    def repeats(self, edits: Edits, name: bytes) -> Action:
        """The member was there before: what happens to this one."""
        edits.repeated(name)
        return DROP


KEEP = Action()


class Drop(Action):
    """The member goes."""

    drops = True

    def named(self, edits: Edits, members: Members) -> None:
        members.drop(edits)

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        # A comma that had to be let go needs a member after it.
        return edits.swallow(offset, b"null") if edits.hold is None else Want.SKIP


DROP = Drop()


@dataclass(slots=True)
class Set(Action):
    """The value becomes `new`."""

    new: bytes

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        return edits.swallow(offset, self.new)


@dataclass(slots=True)
class Cap(Action):
    """A number above `most` becomes `most`; one that is too long for a token, or that must leave
    before its end is known, counts as above."""

    most: int
    start: int = -1

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if kind not in _NUMBER_STARTS:
            return Want.SKIP
        self.start = edits.hold = offset
        return Want.TOKEN

    def token(self, edits: Edits, raw: bytes | None) -> None:
        if self.start < 0:
            return
        edits.hold = None
        if raw is None or float(raw) > self.most:
            edits.swallow(self.start, b"%d" % self.most)
        self.start = -1

    def let_go(self, edits: Edits, at: int) -> None:
        if self.start >= 0:
            edits.swallow(self.start, b"%d" % self.most)
            self.start = -1


@dataclass(slots=True)
class Merge(Action):
    """Members of an object are set (bytes) or removed (None); a non-object is replaced."""

    inner: Mapping[str, bytes | None]

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if kind == _OBJECT:
            plan: dict[bytes, Action] = {
                encode_name(name): DROP if value is None else Set(value)
                for name, value in self.inner.items()
            }
            inserts = {encode_name(name): value for name, value in self.inner.items() if value}
            members = Members(plan, None, inserts)
            members.open(edits, offset + 1)
            return edits.enter(members)
        new = new_object(self.inner)
        return Want.SKIP if new is None else edits.swallow(offset, new)


class Model(Action):
    """`name` is what leaves: a value that equals it (unescaped) stays as it is spelled, any other
    becomes it, so that parsers that take the first and parsers that take the last agree.

    `met`: a model has passed. `first`: the first one's value, at most 256 characters; None when it
    is not a string.
    """

    def __init__(self, name: str) -> None:
        self.met = False
        self.first: str | None = None
        self._name = name
        self._new = lexis.encode_string(name)
        self._start = 0
        self._open = False  # a string has begun whose value is not known

    def repeats(self, edits: Edits, name: bytes) -> Action:
        edits.repeated(name)
        return self

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if kind == _STRING:
            self._start = edits.hold = offset
            self._open = True
            return Want.TOKEN
        self.met = True
        return edits.swallow(offset, self._new)

    def token(self, edits: Edits, raw: bytes | None) -> None:
        value = None if raw is None else lexis.decode_string(raw)
        if not self.met:
            self.met, self.first = True, "…" if value is None else value[:_FIRST]
        if self._open:
            self._open, edits.hold = False, None
            if value != self._name:
                edits.swallow(self._start, self._new)

    def let_go(self, edits: Edits, at: int) -> None:
        if self._open:  # whatever it becomes, this is right
            self._open = False
            edits.swallow(self._start, self._new)


class Taken(Drop):
    """The member goes, and its first value, a scalar of at most 8192 bytes, is remembered."""

    def __init__(self) -> None:
        self.first: bytes | None = None
        self._met = False

    def repeats(self, edits: Edits, name: bytes) -> Action:
        edits.repeated(name)
        return self

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        want = super().begin(edits, kind, offset)
        if self._met:
            return want
        self._met = True
        return want if kind in _CONTAINERS else Want.TOKEN

    def token(self, edits: Edits, raw: bytes | None) -> None:
        self.first = raw


class Members(Context):
    """One object whose members are edited: what each key means, and where commas go.

    `once`: names of which a later one is dropped or, where its action says so, treated like the
    first; either is noted.
    """

    def __init__(
        self,
        plan: dict[bytes, Action],
        keep_only: frozenset[str] | None = None,
        inserts: dict[bytes, bytes] | None = None,
        *,
        once: frozenset[bytes] = frozenset(),
        note_all: bool = False,
    ) -> None:
        self.seen: set[bytes] = set()  # names that stand in the output (`note_all`), bounded
        self.inserts: dict[bytes, bytes] = {} if inserts is None else inserts
        self.droppable = True
        self._note_all = note_all
        self._plan = plan
        self._others = KEEP if keep_only is None else DROP
        for name in keep_only or ():
            self._plan.setdefault(encode_name(name), KEEP)
        self._may_drop = self._others is DROP or any(a.drops for a in plan.values())
        self._once = once
        self._met: set[bytes] = set()  # of `once`
        self._action: Action = KEEP
        self._name: bytes | None = None
        self._kept = 0  # members in the output so far
        self._dropped: bytes | None = None  # the last one that is not, until a comma
        self._from = 0  # from here on the member at hand may have to be held: brace or comma
        self._comma = -1  # the comma before the member at hand, if it is in the output
        self._key = -1  # where the member at hand starts, once its key is known
        self._waiting = False  # from a comma until the key is known

    def open(self, edits: Edits, offset: int) -> None:
        """The object's brace is right before `offset`."""
        self._begin_member(edits, offset, -1)

    def comma(self, edits: Edits, offset: int) -> None:
        self._dropped = None
        if self._kept:
            self._begin_member(edits, offset, offset)
        else:
            edits.decided.append(Splice(offset, offset + 1, b""))
            self._begin_member(edits, offset + 1, -1)

    def _begin_member(self, edits: Edits, offset: int, comma: int) -> None:
        self._from, self._comma, self._key = offset, comma, -1
        self.droppable = True
        if self._may_drop or (self._kept and self._once):
            self._waiting, edits.hold = True, offset

    def key(self, edits: Edits, name: bytes | None, start: int) -> None:
        self._key, self._name = start, name
        if start - self._from > LIMIT:
            self._let_go(edits)
        action = self._others if name is None else self._plan.get(name, self._others)
        if name is not None:
            if name in self._once:
                if name in self._met:
                    action = action.repeats(edits, name)
                else:
                    self._met.add(name)
            if not action.drops:
                self.inserts.pop(name, None)
                if self._note_all and name != MODEL:
                    self.note(name)
        self._action = action
        action.named(edits, self)

    def note(self, name: bytes) -> None:
        """The member `name` stands in the output."""
        if len(self.seen) < _NOTED:
            self.seen.add(name)

    def _let_go(self, edits: Edits) -> None:
        self.droppable, self._waiting, edits.hold = False, False, None

    def keep(self, edits: Edits) -> None:
        """The member at hand stays."""
        self._kept += 1
        self._waiting, edits.hold = False, None

    def drop(self, edits: Edits) -> None:
        """The member at hand goes, with the comma before it."""
        if not self.droppable:
            self.keep(edits)
            return
        self._waiting = False
        self._dropped = self._name or b""
        edits.swallow(self._comma if self._comma >= 0 else self._key, b"")

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        return self._action.begin(edits, kind, offset)

    def token(self, edits: Edits, raw: bytes | None) -> None:
        self._action.token(edits, raw)

    def close(self, edits: Edits, offset: int) -> None:
        if self._waiting:  # empty, or held for a member that did not come
            self._waiting, edits.hold = False, None
        self.insert_last(edits, offset, self.inserts)

    def insert_last(self, edits: Edits, offset: int, inserts: Mapping[bytes, bytes]) -> None:
        """What was absent goes before the closing brace."""
        if inserts:
            text = b",".join(member(name, value) for name, value in inserts.items())
            edits.insert(offset, b"," + text if self._kept else text)
            self._kept += len(inserts)

    def pressure(self, edits: Edits, at: int) -> None:
        if self._waiting and at - self._from > LIMIT + SLACK:
            self._let_go(edits)

    def let_go(self, edits: Edits, at: int) -> None:
        if self._waiting:
            self._let_go(edits)
        else:
            self._action.let_go(edits, at)

    def cut_off(self, edits: Edits, at: int) -> None:
        self._waiting = False
        if self._dropped is not None and not self._kept:
            # Its comma comes behind the cut and needs a member before it.
            edits.insert(at, member(self._dropped, b"null"))
