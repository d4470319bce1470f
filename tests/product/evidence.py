"""Which decision the rule of evidence gives a body, from its bytes and the setting alone.

Why this file exists: parity says that all ways of sending a body agree; what they must agree on is
docs/evidence.md, stated here a second time, for the bodies that the suite writes. It must not know
srd.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from product.axes import Case
from product.bodies import TURNS
from product.settings import BUDGETS, WORDS
from product.tokens import Member, items, members

#: The decision of a label; a text of none has none.
_DECISIONS = {"math": "thinks", "law": "plain", "health": "prompted", "history": "answered"}
_ATTACHED = ("url", "image_url", "data")


@dataclass(frozen=True, slots=True)
class Ruled:
    """What must have been decided, and why."""

    name: str | None
    basis: str


def ruled(case: Case, plain: bytes) -> Ruled | None:
    """The decision of a body that is routed, all of which comes in time; None where it would take
    the encoder's own weighing of several words in one text."""
    turns = next(member for member in members(plain) if member.name == TURNS[case.api])
    said = _human(plain, turns)
    labels = [_label(text) for text in said.texts]
    if None in labels:
        return None
    if turns.end - said.attached <= BUDGETS[case.setting] or case.guards:
        return Ruled(_DECISIONS.get(_held(labels)), "complete")
    if said.late_roles:
        return None  # whose text it is shows behind the text
    return Ruled(_DECISIONS.get(labels[0] or ""), "early")


def pictured(plain: bytes, until: int) -> int:
    """Bytes of pictures in the turns, if those end in front of `until`."""
    names = frozenset(TURNS.values())
    turns = next((m for m in members(plain) if m.name in names), None)
    return _human(plain, turns).attached if turns is not None and turns.end < until else 0


def _held(labels: Sequence[str | None]) -> str:
    """The subject of a conversation: the first turn's, until a later one is sure of another."""
    return next((label for label in reversed(labels) if label), "")


def _label(text: str) -> str | None:
    """What a text is about, "" for nothing in particular; None where it says several things."""
    found = {label for word, label in WORDS.items() if word in text}
    return None if len(found) > 1 else next(iter(found), "")


@dataclass(frozen=True, slots=True)
class _Said:
    """What humans say in the turns, the bytes of pictures, and whether a role stands behind its
    text."""

    texts: Sequence[str]
    attached: int
    late_roles: bool


def _human(plain: bytes, turns: Member) -> _Said:
    if plain[turns.value : turns.value + 1] == b'"':
        return _Said([json.loads(plain[turns.value : turns.end])], 0, late_roles=False)
    texts, attached, late = [], 0, False
    for start, end in items(plain, turns.value):
        if plain[start : start + 1] == b'"':
            texts.append(json.loads(plain[start:end]))
            continue
        inside = members(plain, start)
        role = next(m for m in inside if m.name == "role")
        content = next(m for m in inside if m.name == "content")
        late = late or content.start < role.start
        attached += sum(_attached(plain, content))
        if json.loads(plain[role.value : role.end]) == "user":
            texts.append(_text(plain, content))
    return _Said(texts, attached, late)


def _text(plain: bytes, content: Member) -> str:
    value = json.loads(plain[content.value : content.end])
    if isinstance(value, str):
        return value
    return " ".join(part["text"] for part in value if "text" in part)


def _attached(plain: bytes, content: Member) -> Iterator[int]:
    """The lengths of the strings that hold a picture."""
    if plain[content.value : content.value + 1] != b"[":
        return
    for start, _ in items(plain, content.value):
        waiting = members(plain, start)
        while waiting:
            member = waiting.pop()
            first = plain[member.value : member.value + 1]
            if first == b"{":
                waiting += members(plain, member.value)
            elif first == b'"' and member.name in _ATTACHED:
                yield member.end - member.value - 2
