"""The desk where edits are decided: who listens where, what is held, what is settled.

Why this file exists: it listens to a loose scanner, passes each event to the context of the
innermost entered container, and gathers the splices that contexts decide. It must not know the
bytes (`splice` owns them) nor what is edited (`members`, `system`, `plan` do).

`hold` is the earliest offset that an undecided edit may still change; all before it is settled. It
never lies more than LIMIT (and one small token) behind the scanner: an edit that would need more is
let go, or becomes one that needs less, by rules that look at offsets only, so that the output does
not depend on how the input was cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from srd.body.listener import Want
from srd.body.scanner import KEY_LIMIT

#: Bytes that one undecided edit may hold back.
LIMIT = 65536
#: So far may a key reach that has begun but is not told yet.
SLACK = KEY_LIMIT + 16


@dataclass(frozen=True, slots=True)
class Splice:
    """The document's bytes [start, end) become `new`."""

    start: int
    end: int
    new: bytes


class Context:
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
    """Listens to a loose scanner; decided splices gather in `decided`, in no order.

    `explicit_model`: a model that may not be replaced has passed, nothing more will be edited.
    `closed_at`: the offset of the document's closing brace, once scanned.
    """

    def __init__(self) -> None:
        self.decided: list[Splice] = []
        self.hold: int | None = None
        self.explicit_model = False
        self.replaced_model = False
        self.missed_system_prompt = False
        self.closed_at: int | None = None
        self._swallow = -1  # from here to the end of the value at hand everything goes
        self._swallow_new = b""
        self._streaming = False
        self._contexts: list[Context] = []
        self._entering = Context()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self.decided)} decided, hold={self.hold}>"

    @property
    def inert(self) -> bool:
        """True when no byte to come can change any more."""
        return self.explicit_model

    # -- what the document's kind of edit adds

    def open_top(self, offset: int) -> Context:
        """The document's opening brace is at `offset`: who listens inside."""
        return Context()

    def close_top(self, offset: int) -> None:
        """The document's closing brace is at `offset`."""

    # -- the scanner's events

    def key(self, name: bytes | None, start: int) -> None:
        """A member of the entered object."""
        self._contexts[-1].key(self, name, start)

    def begin(self, kind: int, offset: int) -> Want:
        """A value begins."""
        if not self._contexts:
            self._contexts.append(self.open_top(offset))
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
        self.closed_at, self.hold = offset, None
        if not self.inert:
            self.close_top(offset)

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

    def enter(self, context: Context) -> Want:
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
