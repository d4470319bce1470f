"""The desk where edits are decided: who listens where, what is held, what is settled.

Why this file exists: it listens to a loose scanner, passes each event to the context of the
innermost entered container, and gathers the splices that contexts decide. It must not know the
bytes (`splice` owns them) nor what is edited (`members`, `system`, `plan` do).

What lies before `floor` is settled; from there on an undecided edit may still change it. The floor
never lies more than LIMIT (and one small token) behind the scanner: an edit that would need more is
let go, or becomes one that needs less, by rules that look at offsets only, so that the output does
not depend on how the input was cut. Two more ways to settle what is open: `let_go` (all before here
must leave now, the document goes on) and `cut_off` (the document goes on without us).
"""

from __future__ import annotations

from dataclasses import dataclass

from srd.body.listener import Want
from srd.body.scanner import KEY_LIMIT

#: Bytes that one undecided edit may hold back.
LIMIT = 65536
_NAMES = 16
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

    def shortcut(self, data: bytes, at: int) -> int:
        """An object begins at data[at] in this container: where it, or an object that follows it,
        ends, if nothing up to there can be edited and it may be passed over whole; else 0."""
        return 0

    def close(self, edits: Edits, offset: int) -> None:
        """Its closing bracket."""

    def pressure(self, edits: Edits, at: int) -> None:
        """Everything before `at` is scanned: let go of what is held for too long."""

    def let_go(self, edits: Edits, at: int) -> None:
        """Everything before `at` is scanned and must leave now: decide what is open."""

    def cut_off(self, edits: Edits, at: int) -> None:
        """Everything behind `at` passes by itself: what leaves before it must fit in front."""


class Edits:
    """Listens to a loose scanner; decided splices gather in `decided`, in no order.

    `hold`: the earliest offset that the innermost container still needs; pins are the same for
    containers around it, set before and released on their own. `closed_at`: the offset of the
    document's closing brace, once scanned. `patient`: what is swallowed is kept until its end, so
    that `cut_off` can bring it back. `duplicates`: names of repeated members, and `unbound`: what
    was removed because only one model can read it; both bounded, each name once.
    """

    def __init__(self) -> None:
        self.decided: list[Splice] = []
        self.hold: int | None = None
        self.patient = False
        self.missed_system_prompt = False
        self.closed_at: int | None = None
        self.duplicates: list[str] = []
        self.unbound: list[str] = []
        self._swallow = -1  # from here to the end of the value at hand everything goes
        self._swallow_new = b""
        self._streaming = False
        self._pins: list[int] = []
        self._contexts: list[Context] = []
        self._entering = Context()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self.decided)} decided, hold={self.hold}>"

    @property
    def floor(self) -> int | None:
        """The earliest offset that an undecided edit may still change; None: there is none."""
        return min(self._pins) if self._pins else self.hold

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
        """See Context."""
        end = self._contexts[-1].shortcut(data, at)
        if end:
            self.hold = None
        return end

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
        self.close_top(offset)

    def comma(self, offset: int) -> None:
        """A comma of the entered container."""
        self._contexts[-1].comma(self, offset)

    def pressure(self, at: int) -> None:
        """All before `at` is scanned; called at the end of each piece and at a failure."""
        long = self._streaming or at - self._swallow > LIMIT
        if self._swallow >= 0 and long and not self.patient:
            self._stream(at)
        if self.floor is not None:
            for context in self._contexts:
                context.pressure(self, at)

    def let_go(self, at: int) -> None:
        """All before `at` is scanned, and whoever waits for it cannot wait: nothing stays held."""
        for context in self._contexts:
            context.let_go(self, at)
        if self._swallow >= 0:
            self._stream(at)

    def cut_off(self, at: int) -> None:
        """All before `at` is scanned; what follows will not come by here."""
        contexts = self._contexts
        if self._swallow >= 0:  # half of a value cannot be replaced: its container stays as it is
            contexts = contexts[:-1]
        self._swallow, self.hold = -1, None
        for context in contexts:
            context.cut_off(self, at)

    def _stream(self, at: int) -> None:
        self._streaming = True
        self.decided.append(Splice(self._swallow, at, self._swallow_new))
        self._swallow, self._swallow_new, self.hold = at, b"", at

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

    def pin(self, offset: int) -> None:
        """From `offset` on all is held, until `unpin`."""
        self._pins.append(offset)

    def unpin(self, offset: int) -> None:
        """What held from `offset` on is settled."""
        self._pins.remove(offset)

    def forget(self, start: int) -> None:
        """Whatever was decided, or is held, from `start` on is no matter any more, but a pin there
        stays."""
        self.decided = [splice for splice in self.decided if splice.start < start]
        self._pins = [offset for offset in self._pins if offset <= start]
        self._swallow, self.hold = -1, None

    def relieve(self, context: Context, successor: Context) -> None:
        """From now on `successor` listens in place of `context`, and nobody in what it contains."""
        at = self._contexts.index(context)
        inside = len(self._contexts) - at - 1
        self._contexts[at:] = [successor, *(Context() for _ in range(inside))]

    def insert(self, offset: int, new: bytes) -> None:
        """New bytes before `offset`."""
        self.decided.append(Splice(offset, offset, new))

    def repeated(self, name: bytes) -> None:
        """The member `name` was met again."""
        _note(self.duplicates, name.decode("utf-8", "replace"))

    def note_unbound(self, what: str) -> None:
        """Something of this type, or a member of this name, was removed."""
        _note(self.unbound, what)


def _note(names: list[str], name: str) -> None:
    if name not in names and len(names) < _NAMES:
        names.append(name)
