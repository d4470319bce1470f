"""Arrays of content parts, in which no name counts twice.

Why this file exists: turns of every kind hold such arrays, and parts hold further ones. It must not
know what else is edited in a turn.
"""

from __future__ import annotations

from srd.body import loose
from srd.body.edits import Context, Edits
from srd.body.listener import Want
from srd.body.members import Action, Members
from srd.body.shapes import ONCE_IN_PART, PARTS, PARTS_DEPTH

_OBJECT, _ARRAY = b"{["


class Parts(Action):
    """An array of content parts. In each a repeated name is dropped, and in those that lie in a
    part's own array, as long as `depth` says so."""

    def __init__(self, depth: int = PARTS_DEPTH) -> None:
        self._depth = depth

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        return edits.enter(PartsArray(self._depth)) if kind == _ARRAY else Want.SKIP


class PartsArray(Context):
    """Such an array's inside."""

    def __init__(self, depth: int = PARTS_DEPTH) -> None:
        self._inside = depth - 1

    def shortcut(self, data: bytes, at: int) -> int:
        return loose.plain_objects(data, at, ONCE_IN_PART, self._inside)

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if kind != _OBJECT:
            return Want.SKIP
        part = Members({PARTS: Parts(self._inside)} if self._inside else {}, once=ONCE_IN_PART)
        part.open(edits, offset + 1)
        return edits.enter(part)
