"""What only the model that made it can read, taken out of a conversation.

Why this file exists: signed or encrypted thoughts are an error to every other model, so a body that
may go to another one leaves without them. Which parts, items and members these are, and how long
one is held until that is known, stands here. It must not know who decided that they go.

A part or an item goes whole where its type says so: alone (`shapes.SEALED_PARTS`) or together with
a signature (`shapes.SIGNED`). Of anything else only the member with the signature goes. What is
undecided is held up to LIMIT; then what has a type in SIGNED goes, signed or not, and all else
stays. Where an array would be left empty a short text stands in it: APIs refuse an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping

from srd.body import lexis, loose
from srd.body.edits import LIMIT, SLACK, Context, Edits, Splice
from srd.body.listener import Want
from srd.body.members import KEEP, Action, Members
from srd.body.parts import Parts
from srd.body.shapes import (
    ARGUMENTS,
    CALLS,
    ONCE_IN_PART,
    ONCE_IN_TURN,
    PARTS,
    PARTS_DEPTH,
    SEALED_PARTS,
    SIGNATURES,
    SIGNED,
    may_be_signed,
)

_OBJECT, _ARRAY, _STRING = b'{["'
_CALL_DEPTH = 4  # objects inside each other, in a call
_TYPE_BYTES = 128
_MARKS = (*(kind.encode() for kind in SEALED_PARTS), CALLS)


def looks_bound(data: bytes, start: int, end: int) -> bool:
    """True when the object data[start:end] may have something to lose; False is certain. One that
    is longer than LIMIT may be judged by its length, a name may be spelled with escapes, and calls
    are looked into, so that they break where they would break for one who looks."""
    if end - start > LIMIT or any(data.find(mark, start, end) >= 0 for mark in _MARKS):
        return True
    return may_be_signed(data, start, end)


class _Seal(Action):
    """A member that goes if it is a string."""

    drops = True

    def named(self, edits: Edits, members: Members) -> None:
        """Its value's kind decides."""


class _Calls(Action):
    """An assistant's tool calls."""

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        return edits.enter(_CallsArray()) if kind == _ARRAY else Want.SKIP


_SEAL, _TYPE, _ROLE, _PARTS = _Seal(), Action(), Action(), Parts()
_SEALS: Mapping[bytes, Action] = dict.fromkeys(SIGNATURES, _SEAL)
_PART = {**_SEALS, b"type": _TYPE, PARTS: Parts(PARTS_DEPTH - 1)}
_TURN = {**_SEALS, b"type": _TYPE, b"role": _ROLE, CALLS: _Calls(), PARTS: _PARTS}
#: What goes from a first message whose content and role somebody else looks at.
FIRST_TURN: Mapping[bytes, Action] = {**_SEALS, CALLS: _TURN[CALLS]}


class Marked(Members):
    """An object without its signatures; those in objects in it go too, `depth` of them inside each
    other."""

    def __init__(
        self,
        plan: Mapping[bytes, Action] = _SEALS,
        *,
        once: frozenset[bytes] = frozenset(),
        depth: int = 0,
    ) -> None:
        super().__init__(dict(plan), once=once)
        self.user = False  # a user's message, as far as is known: what is signed in it is its own
        self._depth = depth

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if self._action is _SEAL:
            return self._begin_seal(edits, kind, offset)
        searched = self._depth and kind == _OBJECT and self._name not in ARGUMENTS
        if searched and self._action is KEEP:
            inner = Marked(depth=self._depth - 1)
            inner.open(edits, offset + 1)
            return edits.enter(inner)
        return super().begin(edits, kind, offset)

    def _begin_seal(self, edits: Edits, kind: int, offset: int) -> Want:
        if kind != _STRING or self.user:
            self.keep(edits)
            return Want.SKIP
        if offset - self._from > LIMIT:
            self._let_go(edits)
        edits.note_unbound((self._name or b"").decode())
        self.drop(edits)
        # A comma that had to be let go needs a member after it.
        return edits.swallow(offset, b"null") if edits.hold is None else Want.SKIP


class _CallsArray(Context):
    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if kind != _OBJECT:
            return Want.SKIP
        call = Marked(depth=_CALL_DEPTH)
        call.open(edits, offset + 1)
        return edits.enter(call)


class Element(Marked):
    """A part or an item. With an `array` it may go whole, from `start` on: its brace, or the comma
    in front of it."""

    def __init__(
        self,
        plan: Mapping[bytes, Action],
        once: frozenset[bytes],
        array: Elements | None,
        start: int,
    ) -> None:
        super().__init__(plan, once=once)
        self._array = array  # None once it is settled that it stays
        self._start = start
        self._inside = 0
        self._kind = ""  # its type, as far as that matters
        self._signed = False

    def open(self, edits: Edits, offset: int) -> None:
        self._inside = offset
        if self._array is not None:
            edits.pin(self._start)
        super().open(edits, offset)

    def key(self, edits: Edits, name: bytes | None, start: int) -> None:
        if self._must_go(edits, start):
            self._go(edits)
        else:
            super().key(edits, name, start)

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        signs = self._action is _SEAL and kind == _STRING
        if self._must_go(edits, offset) or (signs and self._is_sealable):
            self._go(edits)
            return Want.SKIP
        self._signed = self._signed or signs
        if self._action is _TYPE:
            return Want.TOKEN if kind == _STRING and self._array is not None else Want.SKIP
        return super().begin(edits, kind, offset)

    def token(self, edits: Edits, raw: bytes | None) -> None:
        if self._action is not _TYPE:
            super().token(edits, raw)
        elif self._array is not None:
            short = raw is not None and len(raw) <= _TYPE_BYTES
            self._kind = (lexis.decode_string(raw) if raw is not None and short else None) or ""
            if self._kind in SEALED_PARTS or (self._signed and self._kind in SIGNED):
                self._go(edits)
            elif self._kind not in SIGNED:
                self.stay(edits)

    def comma(self, edits: Edits, offset: int) -> None:
        if self._must_go(edits, offset):
            self._go(edits)
        else:
            super().comma(edits, offset)

    def close(self, edits: Edits, offset: int) -> None:
        if self._must_go(edits, offset):
            self._given_up(edits).close(edits, offset)
        else:
            self.stay(edits)
            super().close(edits, offset)

    def pressure(self, edits: Edits, at: int) -> None:
        if self._must_go(edits, at - SLACK):
            self._go(edits).pressure(edits, at)
        else:
            super().pressure(edits, at)

    def let_go(self, edits: Edits, at: int) -> None:
        if self._is_sealable:
            self._go(edits).let_go(edits, at)
        else:
            self.stay(edits)
            super().let_go(edits, at)

    def cut_off(self, edits: Edits, at: int) -> None:
        self.stay(edits)
        super().cut_off(edits, at)

    def stay(self, edits: Edits) -> None:
        """It stays, whatever follows."""
        if self._array is not None:
            self._array.keep()
            self._array = None
            edits.unpin(self._start)

    @property
    def _is_sealable(self) -> bool:
        """True while it would go with a signature."""
        return self._array is not None and self._kind in SIGNED

    def _must_go(self, edits: Edits, offset: int) -> bool:
        """Beyond LIMIT what is known settles it."""
        if self._array is None or offset - self._inside <= LIMIT:
            return False
        if self._kind not in SIGNED:
            self.stay(edits)
        return self._is_sealable

    def _go(self, edits: Edits) -> _Gone:
        gone = self._given_up(edits)
        edits.relieve(self, gone)
        return gone

    def _given_up(self, edits: Edits) -> _Gone:
        edits.note_unbound(self._kind)
        edits.forget(self._start)
        return _Gone(self._array, self._start)


class _Gone(Context):
    """In place of an element that goes. `start`: all before it is settled."""

    def __init__(self, array: Elements | None, start: int) -> None:
        self._array = array
        self._start = start
        self._streaming = False

    def close(self, edits: Edits, offset: int) -> None:
        if self._array is not None:
            self._array.lose()
        edits.decided.append(Splice(self._start, offset + 1, b""))
        edits.unpin(self._start)

    def pressure(self, edits: Edits, at: int) -> None:
        if not edits.patient and (self._streaming or at - self._start > LIMIT):
            self.let_go(edits, at)

    def let_go(self, edits: Edits, at: int) -> None:
        edits.decided.append(Splice(self._start, at, b""))
        edits.unpin(self._start)
        edits.pin(at)
        self._start, self._streaming = at, True


class Elements(Context):
    """An array of which elements may go, each with one comma. `filler` stands in one that would be
    left empty."""

    filler = b""

    def __init__(self) -> None:
        self._kept = False  # an element is in the output
        self._lost = False  # one was there, and is not
        self._dangling = False  # the last one was, and no comma has come
        self._comma = -1  # the comma before the element that comes, while that can still go

    def element(self, array: Elements | None, offset: int, start: int) -> Members:
        """The object at `offset`; see Element."""
        raise NotImplementedError

    def keep(self) -> None:
        """An element stays."""
        self._kept = True

    def lose(self) -> None:
        """An element has gone."""
        self._lost = self._dangling = True

    def passed(self, end: int) -> int:
        """Where a shortcut ends, if it was taken: what it passed over stays."""
        if end:
            self._kept, self._comma = True, -1
        return end

    def comma(self, edits: Edits, offset: int) -> None:
        self._dangling = False
        if self._kept:
            self._comma = edits.hold = offset
        else:
            edits.decided.append(Splice(offset, offset + 1, b""))

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        self.pressure(edits, offset)
        comma, self._comma, edits.hold = self._comma, -1, None
        if kind != _OBJECT:
            self._kept = True
            return Want.SKIP
        free = comma >= 0 or not self._kept
        element = self.element(self if free else None, offset, comma if comma >= 0 else offset)
        element.open(edits, offset + 1)
        return edits.enter(element)

    def close(self, edits: Edits, offset: int) -> None:
        if self._lost and not self._kept:
            edits.insert(offset, self.filler)

    def pressure(self, edits: Edits, at: int) -> None:
        if at - self._comma > LIMIT:
            self.let_go(edits, at)

    def let_go(self, edits: Edits, at: int) -> None:
        if self._comma >= 0:
            self._comma, edits.hold = -1, None

    def cut_off(self, edits: Edits, at: int) -> None:
        if self._dangling and not self._kept:
            edits.insert(at, self.filler)  # its comma comes behind the cut


class BoundParts(Elements):
    """A message's parts."""

    filler = b'{"type":"text","text":"..."}'

    def shortcut(self, data: bytes, at: int) -> int:
        found = loose.plain_objects(data, at, ONCE_IN_PART, PARTS_DEPTH - 1, looks_bound)
        return self.passed(found)

    def element(self, array: Elements | None, offset: int, start: int) -> Members:
        return Element(_PART, ONCE_IN_PART, array, start)


class BoundItems(Elements):
    """The items of a Responses input; those from offset `before` on stay as they are."""

    filler = b'{"role":"assistant","content":"..."}'

    def __init__(self, before: int) -> None:
        super().__init__()
        self._before = before

    def shortcut(self, data: bytes, at: int) -> int:
        found = loose.plain_objects(data, at, ONCE_IN_TURN, PARTS_DEPTH, looks_bound)
        return self.passed(found)

    def element(self, array: Elements | None, offset: int, start: int) -> Members:
        if offset < self._before:
            return Turn(array, start)
        self.keep()
        return plain_turn()


class Turn(Element):
    """A message, or an item. What is a user's own stays, where that is known before it comes."""

    def __init__(self, array: Elements | None = None, start: int = 0) -> None:
        super().__init__(_TURN, ONCE_IN_TURN, array, start)

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if self._action is _ROLE:
            self.stay(edits)  # what has one is a message
            return Want.TOKEN if kind == _STRING else Want.SKIP
        want = super().begin(edits, kind, offset)
        enters = want is Want.ENTER and self._action is _PARTS and not self.user
        return edits.enter(BoundParts()) if enters else want

    def token(self, edits: Edits, raw: bytes | None) -> None:
        if self._action is _ROLE:
            self.user = raw is not None and lexis.decode_string(raw) == "user"
        else:
            super().token(edits, raw)


def plain_turn() -> Members:
    """A turn of which only repeated names go."""
    return Members({PARTS: Parts()}, once=ONCE_IN_TURN)
