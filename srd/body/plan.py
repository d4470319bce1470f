"""From a Rewrite to the edits of one body.

Why this file exists: it is the only place that knows every kind of edit, and their precedence. It
must not know bytes or chunks.
"""

from __future__ import annotations

from srd.body import lexis
from srd.body.edits import Context, Edits
from srd.body.members import (
    DROP,
    KEEP,
    MODEL,
    Action,
    Cap,
    Members,
    Merge,
    Model,
    Set,
    Taken,
    encode_name,
    new_object,
)
from srd.body.parts import Parts
from srd.body.rewrite import Rewrite
from srd.body.shapes import ONCE, Shape
from srd.body.system import System, Turns


class BodyEdits(Edits):
    """The edits of one body.

    What is absent is inserted before the closing brace, wherever the commit fell: the same body
    gives the same bytes, however it was cut. `tail`: models are dropped instead of replaced, and
    the closing brace stays held until `settle`.
    """

    def __init__(self, rewrite: Rewrite, shape: Shape, *, tail: bool = False) -> None:
        super().__init__()
        self.missed_system_prompt = rewrite.system_prompt is not None
        self.model_name = rewrite.model
        self._shape = shape
        self._tail = tail
        self._only_model = rewrite == Rewrite(model=rewrite.model)
        self._model = None if rewrite.model is None or tail else Model(rewrite.model)
        self._taken = Taken() if tail else None
        inserts = _inserts(rewrite, shape)
        if tail:
            inserts.pop(MODEL, None)  # `settle` brings it
        plan = _plan(rewrite, shape)
        if self._model or self._taken:
            plan[MODEL] = self._model or self._taken or KEEP
        once = frozenset() if shape.names_only else ONCE
        once |= {MODEL} & plan.keys()
        self._top = Members(plan, rewrite.keep_only, inserts, once=once, note_all=tail)

    @property
    def could_edit(self) -> bool:
        """True while a document without repeated names could still need an edit."""
        return not self._only_model or (self._model is not None and not self._model.met)

    @property
    def first_model(self) -> str | None:
        """The first model's value, shortened; None: none has passed, or it is not a string."""
        return self._model.first if self._model else None

    def open_top(self, offset: int) -> Context:
        """See Edits."""
        self._top.open(self, offset + 1)
        return self._top

    def close_top(self, offset: int) -> None:
        """See Edits."""
        if self._tail:
            self.hold = offset
        else:
            self._insert_absent(offset)

    def settle(self, rewrite: Rewrite) -> None:
        """Tail mode: the members that go before the closing brace are known now. Without a name in
        `rewrite` the first model that was dropped comes back."""
        if not self._tail:
            return
        self._tail = False
        self.model_name = rewrite.model
        inserts = _inserts(rewrite, self._shape)
        if rewrite.model is None and self._taken and self._taken.first is not None:
            inserts = {MODEL: self._taken.first, **inserts}
        for name, value in inserts.items():
            if name not in self._top.seen:
                self._top.inserts[name] = value
        self.missed_system_prompt = self.missed_system_prompt or rewrite.system_prompt is not None
        if self.closed_at is not None:
            self.hold = None
            self._insert_absent(self.closed_at)

    def _insert_absent(self, offset: int) -> None:
        if self._shape.system in self._top.inserts:
            self.missed_system_prompt = False
        self._top.insert_last(self, offset, self._top.inserts)


def _plan(rewrite: Rewrite, shape: Shape) -> dict[bytes, Action]:
    """Which top-level member gets which action; what stands later here has precedence."""
    plan: dict[bytes, Action] = {}
    for name, most in rewrite.cap.items():
        plan[encode_name(name)] = Cap(most)
    for name in rewrite.drop:
        plan[encode_name(name)] = DROP
    for name, inner in rewrite.merge.items():
        plan[encode_name(name)] = Merge(inner)
    for name, value in rewrite.set_members.items():
        plan[encode_name(name)] = Set(value)
    prompt, unbind = rewrite.system_prompt, rewrite.unbind
    if prompt and shape.system:
        plan[shape.system] = System(prompt)
    if prompt and shape.system_message:
        plan[shape.turns] = Turns(prompt, unbind)
    if not shape.names_only:
        if _stays(rewrite, shape.turns):
            plan.setdefault(shape.turns, Turns(None, unbind, items=shape.items))
        if shape.system and _stays(rewrite, shape.system):
            plan.setdefault(shape.system, Parts())
    return plan


def _stays(rewrite: Rewrite, name: bytes) -> bool:
    return rewrite.keep_only is None or name.decode() in rewrite.keep_only


def _inserts(rewrite: Rewrite, shape: Shape) -> dict[bytes, bytes]:
    """What is inserted where it is absent, by name."""
    inserts: dict[bytes, bytes] = {}
    if rewrite.model is not None:
        inserts[MODEL] = lexis.encode_string(rewrite.model)
    for name, value in rewrite.set_members.items():
        inserts[encode_name(name)] = value
    for name, inner in rewrite.merge.items():
        new = new_object(inner)
        if new is not None and name not in rewrite.set_members:
            inserts[encode_name(name)] = new
    if rewrite.system_prompt and shape.system:
        inserts[shape.system] = lexis.encode_string(rewrite.system_prompt.text)
    return inserts
