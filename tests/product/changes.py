"""Compares two JSON documents byte by byte, but for the edits that were stated.

Why this file exists: "the bytes that came, but for the stated edits" is one sentence and must be
one function. It must not know which edits a decision asks for, nor srd.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from product.tokens import Member, items, members

#: What is wrong with a value: before and after (raw JSON, before None: inserted); "" is fine.
Check = Callable[[bytes | None, bytes], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """The edits of one object. `change`: members whose value may differ, with what it must be.
    `insert`: members that must appear if they are not there (`may_insert`: may). `drop`: members
    that go, every one; `once`: of which only the first stays. `until`: a member of that name that
    ends behind this offset stays as it came."""

    change: Mapping[str, Check] = field(default_factory=dict)
    insert: Mapping[str, Check] = field(default_factory=dict)
    may_insert: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()
    once: frozenset[str] = frozenset()
    until: Mapping[str, int] = field(default_factory=dict)


def same(before: bytes, after: bytes) -> str:
    """Both the same bytes?"""
    return "" if before == after else f"{after[:60]!r} instead of {before[:60]!r}"


def differences(
    before: bytes, after: bytes, stated: Stated, *, at: tuple[int, int] | None = None
) -> list[str]:
    """What differs without having been stated. `at`: where the two objects start."""
    starts = at if at is not None else (None, None)
    old, new = members(before, starts[0]), members(after, starts[1])
    kept = _kept(old, stated)
    names = {member.name for member in old if member.name not in stated.drop}
    inserted = [member for member in new if member.name not in names]
    stayed = [member for member in new if member.name in names]
    found = _inserted(after, inserted, names, stated)
    if [m.name for m in kept] != [m.name for m in stayed]:
        return [*found, f"members {[m.name for m in stayed]} instead of {[m.name for m in kept]}"]
    for one, two in zip(kept, stayed, strict=True):
        if before[one.start : one.value] != after[two.start : two.value]:
            found.append(f"the key {one.name!r} was rewritten")
        free = one.end <= stated.until.get(one.name, one.end)
        check = stated.change.get(one.name) if free else None
        left, right = before[one.value : one.end], after[two.value : two.end]
        problem = same(left, right) if check is None else check(left, right)
        if problem:
            found.append(f"{one.name}: {problem}")
    if at is None and _tail(before) != _tail(after):
        found.append("the bytes from the closing brace on changed")
    return [*found, *_gaps(before, after, (old, kept), (new, stayed))]


def _tail(raw: bytes) -> bytes:
    return raw[len(raw.rstrip(b" \t\r\n")) - 1 :]


def _kept(old: list[Member], stated: Stated) -> list[Member]:
    kept, seen = [], set()
    for member in old:
        if member.name in stated.drop or (member.name in stated.once and member.name in seen):
            continue
        seen.add(member.name)
        kept.append(member)
    return kept


def _inserted(after: bytes, inserted: list[Member], names: set[str], stated: Stated) -> list[str]:
    found = []
    counts = [member.name for member in inserted]
    for name in stated.insert:
        if name in names:
            continue
        if counts.count(name) != 1:
            found.append(f"{name} was inserted {counts.count(name)} times")
    for member in inserted:
        check = stated.insert.get(member.name)
        if check is not None:
            problem = check(None, after[member.value : member.end])
            if problem:
                found.append(f"inserted {member.name}: {problem}")
        elif member.name not in stated.may_insert:
            found.append(f"{member.name} appeared")
    return found


def _gaps(
    before: bytes,
    after: bytes,
    old: tuple[list[Member], list[Member]],
    new: tuple[list[Member], list[Member]],
) -> list[str]:
    """White space and commas between members that stood side by side before and still do."""
    found = []
    old_next = {a.start: b for a, b in itertools.pairwise(old[0])}
    new_next = {a.start: b for a, b in itertools.pairwise(new[0])}
    pairs = list(zip(old[1], new[1], strict=True))
    for (a, x), (b, y) in itertools.pairwise(pairs):
        together = old_next[a.start] is b and new_next[x.start] is y
        if together and before[a.end : b.start] != after[x.end : y.start]:
            found.append(f"the gap before {b.name!r} changed")
    if pairs and old[0] == old[1] and new[0] == new[1]:
        first, last = pairs[0], pairs[-1]
        if before[: first[0].start][-64:] != after[: first[1].start][-64:]:
            found.append("the bytes before the first member changed")
        if before[last[0].end :][:64] != after[last[1].end :][:64]:
            found.append("the bytes behind the last member changed")
    return found


def first_stays(name: str, *, loose: bool = False) -> Check:
    """The value is an array of objects that lose every `name` but the first; nothing else."""

    def check(before: bytes | None, after: bytes) -> str:
        if before is None or before[:1] != b"[" or after[:1] != b"[":
            return same(before or b"", after)
        return same_items(values(before), values(after), frozenset({name}), loose=loose)

    return check


def values(array: bytes) -> list[bytes]:
    """The items of an array, raw."""
    return [array[start:end] for start, end in items(array, 0)]


def same_items(
    old: list[bytes], new: list[bytes], once: frozenset[str] = frozenset(), *, loose: bool = False
) -> str:
    """The same items, but for what stands in `once`: of that, objects lose all but the first.
    `loose`: or they stay whole, since not all of the array is within reach."""
    if len(old) != len(new):
        return f"{len(new)} items instead of {len(old)}"
    for one, two in zip(old, new, strict=True):
        doubled = one[:1] == b"{" and _doubled(one, once)
        if not doubled:
            wrong = same(one, two)
        else:
            wrong = "; ".join(differences(one, two, Stated(once=once)))
            wrong = "" if loose and one == two else wrong
        if wrong:
            return wrong
    return ""


def _doubled(raw: bytes, once: frozenset[str]) -> bool:
    names = [m.name for m in members(raw) if m.name in once]
    return len(names) > len(set(names))


def equals(value: object) -> Check:
    """The value is this, however it is written."""

    def check(before: bytes | None, after: bytes) -> str:
        found = json.loads(after)
        return "" if found == value else f"{str(found)[:60]!r} instead of {str(value)[:60]!r}"

    return check
