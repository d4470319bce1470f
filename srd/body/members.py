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
from srd.body.rewrite import Rewrite

MODEL = b"model"

_OBJECT, _STRING = b'{"'
_NUMBER_STARTS = frozenset(b"-0123456789")
_SETTLED, _WAITING, _BEGUN = range(3)
_NOTED = 256


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
    """A number above `most` becomes `most`; one that is too long for a token counts as above."""

    most: int
    start: int = 0

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if kind not in _NUMBER_STARTS:
            return Want.SKIP
        self.start = edits.hold = offset
        return Want.TOKEN

    def token(self, edits: Edits, raw: bytes | None) -> None:
        edits.hold = None
        if raw is None or float(raw) > self.most:
            edits.swallow(self.start, b"%d" % self.most)


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
    """The first model decides: if it may be replaced, every one is, so that parsers that take the
    first and parsers that take the last agree; if it is another name, nothing is edited."""

    def __init__(self, rewrite: Rewrite, *, tail: bool) -> None:
        self.drops = tail
        self._new = None if tail else lexis.encode_string(rewrite.model or "")
        self._members: Members | None = None
        self._start = 0

    def named(self, edits: Edits, members: Members) -> None:
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
        ours = value is not None
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


class Members(Context):
    """One object whose members are edited: what each key means, and where commas go."""

    def __init__(
        self,
        plan: dict[bytes, Action],
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
        self._others = KEEP if keep_only is None else DROP
        for name in keep_only or ():
            self._plan.setdefault(encode_name(name), KEEP)
        self._may_drop = self._others is DROP or any(a.drops for a in plan.values())
        self._action: Action = KEEP
        self._kept = 0  # members in the output so far
        self._from = 0  # from here on the member at hand may have to be held: brace or comma
        self._comma = -1  # the comma before the member at hand, if it is in the output
        self._key = -1  # where the member at hand starts, once its key is known
        # From a comma until its member is decided; _BEGUN: its value, which is small, has begun.
        self._waiting = _SETTLED

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
        self._action = KEEP
        if not edits.inert:
            self._action = self._others if name is None else self._plan.get(name, self._others)
            if name is not None and not self._action.drops:
                self.inserts.pop(name, None)
            if self._note_all and name not in (None, MODEL) and self._action is not DROP:
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
        if self._waiting != _WAITING or at - self._from <= LIMIT + (0 if told else SLACK):
            return
        self._let_go(edits)
        if told:
            self.keep(edits)
