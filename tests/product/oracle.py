"""What is right: the four sentences of the promise, as a verdict on one case.

Why this file exists: it states the promise without srd, with Python's json, the packages' one-shot
decoders and an own look at the bytes. It must not import srd.

(1) What leaves are the bytes that came, but for the stated edits. (2) Headers, body and `Decided`
say the same. (3) The decision is that of the same document uncut, bare, in full duplex, and that of
the rule of evidence. (4) A fault is visible, and nothing passes a rule that blocks.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from product.axes import Case
from product.bodies import TURNS
from product.changes import (
    Check,
    Stated,
    differences,
    equals,
    first_stays,
    same_items,
    values,
)
from product.evidence import Ruled, pictured, ruled
from product.settings import AUTO, DECISIONS, KNOWN, NAME_BYTES, PROMPT, Asked
from product.tokens import members
from product.wires import decoded

_HEADER_SAFE = "".join(chr(c) for c in range(0x21, 0x7F))
_TIMED = frozenset({"budget", "timeout"})
_KWARGS = "chat_template_kwargs"
#: What a decision that thinks merges into a body, by member.
_THINKS = {_KWARGS: {"enable_thinking": True}, "reasoning": {"effort": "high"}}
_SYSTEM = {"responses": "instructions", "messages": "system"}


class Made(Protocol):
    """A decision, as far as the oracle reads it."""

    model: str
    name: str | None
    basis: str


@dataclass(frozen=True, slots=True)
class Left:
    """What happened to one request: `ending` is clean, refused (then `status`) or broken (`why`).

    `fired`: a timer or pressure took part. `held`: bytes that were not given back.
    """

    ending: str
    body: bytes
    headers: Mapping[str, bytes]
    decided: tuple[Made, ...]
    status: int = 0
    why: str = ""
    fired: bool = False
    held: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """What the client sent: the document, and how it went on the wire. `prefix`: so many bytes of
    it came in prefix mode, else all. `scored`: the classifier answers."""

    plain: bytes
    wire: bytes
    coding: str  # the content-encoding that makes a difference, "" for none
    prefix: int
    scored: bool = True


@dataclass(frozen=True, slots=True)
class Named:
    """The first top-level model by the rule for names."""

    value: str | None  # trimmed; None: absent, null
    explicit: bool  # it names a model
    counts: bool  # ... and early enough
    end: int  # where its value ends in the document, 0 when absent
    trimmed: bool
    clear: bool  # there is no second one


def named(plain: bytes, setting: str) -> Named:
    """The rule for names, stated once."""
    models = [member for member in members(plain) if member.name == "model"]
    if not models:
        return Named(None, explicit=False, counts=False, end=0, trimmed=False, clear=True)
    first = models[0]
    value = json.loads(plain[first.value : first.end])
    text = value.strip() if isinstance(value, str) else None
    explicit = bool(text) and text not in AUTO
    counts = explicit and first.end - pictured(plain, first.start) <= NAME_BYTES[setting]
    return Named(text, explicit, counts, first.end, text != value, len(models) == 1)


def judge(case: Case, sent: Sent, left: Left, reference: Left | None) -> list[str]:
    """What is wrong; an empty list for what is right."""
    name = named(sent.plain, case.setting)
    found = []
    if left.held:
        found.append(f"{left.held} bytes are still held")
    if len(left.decided) > 1:
        found.append("decided twice")
    match left.ending:
        case "refused":
            found += _refused(case, sent, name, left)
        case "broken":
            if not _may_break(case, sent, name, left):
                found.append(f"broken: {left.why}")
        case _:
            found += _clean(case, sent, name, left)
    found += _evidence(case, sent, left)
    if reference is not None and left.ending != "broken":
        found += _parity(case, sent, name, left, reference)
    return found


def _unroutable(case: Case, sent: Sent, name: Named) -> bool:
    """A prefix that does not show the model, or is packed."""
    return case.mode == "prefix" and bool(sent.coding or name.end == 0 or name.end > sent.prefix)


def _may_break(case: Case, sent: Sent, name: Named, left: Left) -> bool:
    """Packed bytes have left because the name in them was the right one, and then a duplicate would
    need an edit."""
    doubled = not name.clear or case.duplicate != "none"
    stays = name.counts or bool(left.decided and left.decided[-1].model == name.value)
    return case.mode == "duplex" and bool(sent.coding) and stays and doubled


def _refused(case: Case, sent: Sent, name: Named, left: Left) -> list[str]:
    wanted = set()
    answers = case.decision in ("answer", "attack")
    if _unroutable(case, sent, name):
        if case.guards:
            wanted.add(413)
    elif name.counts:
        if name.value not in KNOWN:
            wanted.add(400)
    elif answers:
        wanted.add(200)
    if case.guards and (left.fired or (case.mode == "prefix" and not name.counts)):
        wanted.add(503)  # what was not there was not judged
    if left.fired and answers:
        wanted.add(200)  # nobody waited for a name that would have counted
    if left.fired and not left.decided:
        wanted.add(408)  # the time was up and nothing was known
    if left.fired and name.explicit and name.value not in KNOWN:
        wanted.add(400)
    return [] if left.status in wanted else [f"refused with {left.status}: {left.why}"]


def _clean(case: Case, sent: Sent, name: Named, left: Left) -> list[str]:
    if _unroutable(case, sent, name):
        return _untouched(case, sent, left)
    if not left.decided:
        return ["it left undecided"]
    made = left.decided[-1]
    found = _headers(case, sent, left, made)
    if made.basis == "explicit":
        if not (name.counts or (left.fired and name.explicit)):
            found.append(f"the name {name.value!r} counted")
        if made.model != name.value or name.value not in KNOWN:
            found.append(f"decided {made.model!r} for the name {name.value!r}")
    elif name.counts and not left.fired:
        found.append(f"the name {name.value!r} did not count: {made.basis}")
    elif case.decision == "answer" and made.name == "answered":
        found.append("a fixed answer was decided and the request left")
    elif case.decision == "attack":
        found.append("it passed a rule that blocks")
    elif case.guards and case.mode == "prefix":
        found.append("half of it passed a rule that blocks")
    body, problem = _plain(sent, left)
    if problem:
        return [*found, problem]
    found += _coding(case, sent, name, left, made)
    return [*found, *_body(case, sent, name, body, made)]


def _untouched(case: Case, sent: Sent, left: Left) -> list[str]:
    found = []
    if case.guards:
        found.append("unroutable, and not refused although a rule blocks")
    if left.body != sent.wire:
        found.append("unroutable, and its bytes were changed")
    if "x-selected-model" in left.headers or left.decided:
        found.append("unroutable, and decided")
    if sent.coding and "content-encoding" not in left.headers:
        found.append("unroutable, and content-encoding is gone")
    return found + _length(left)


def _headers(case: Case, sent: Sent, left: Left, made: Made) -> list[str]:
    found = _length(left)
    selected = left.headers.get("x-selected-model")
    wanted = urllib.parse.quote(made.model, safe=_HEADER_SAFE).encode()
    if case.mode == "streamed":
        wanted = None  # its headers left before the body was seen
    if selected != wanted:
        found.append(f"x-selected-model {selected!r} and {made.model!r} was decided")
    return found


def _length(left: Left) -> list[str]:
    length = left.headers.get("content-length")
    if length in (None, b"%d" % len(left.body)):
        return []
    return [f"content-length {length!r} for {len(left.body)} bytes"]


def _plain(sent: Sent, left: Left) -> tuple[bytes, str]:
    """The document that a backend reads from what left, by the headers that left."""
    if not sent.coding:
        return left.body, ""
    header = left.headers.get("content-encoding", b"").decode()
    if not header:
        return left.body, ""
    try:
        return decoded(left.body, header), ""
    except Exception as error:
        return b"", f"what left is not {header}: {error} ({left.body[:40]!r})"


def _coding(case: Case, sent: Sent, name: Named, left: Left, made: Made) -> list[str]:
    """Whether it left packed or plain, where that is stated."""
    if not sent.coding:
        return []
    packed = "content-encoding" in left.headers
    if case.mode == "streamed" or case.setting == "inflate":
        return ["it left packed"] if packed else []
    if packed:
        return [] if left.body == sent.wire else ["packed, but not as it came"]
    as_it_came = (
        made.basis == "explicit" and name.clear and not name.trimmed and case.duplicate == "none"
    )
    return ["nothing was edited and it left plain"] if as_it_came else []


def _body(case: Case, sent: Sent, name: Named, body: bytes, made: Made) -> list[str]:
    try:
        json.loads(body.decode("utf-8-sig", "surrogatepass"))
    except ValueError as error:
        return [f"what left is not JSON: {error}"]
    if case.mode == "prefix":
        rest = sent.plain[sent.prefix :]
        if not body.endswith(rest):
            return ["what lies behind the prefix was changed"]
    problems: list[list[str]] = []
    for stated in _stated(case, sent, made):
        found = differences(sent.plain, body, stated)
        if not found:
            return []
        problems.append(found)
    return min(problems, key=len)


def _stated(case: Case, sent: Sent, made: Made) -> list[Stated]:
    """The edits that the configuration states; more than one where more than one is right."""
    turns = TURNS[case.api]
    explicit = made.basis == "explicit"
    asked = Asked(made.model) if explicit else DECISIONS.get(made.name, Asked(made.model))
    if not explicit and asked.model != made.model:
        asked = replace(asked, model=made.model)  # the model itself is judged by parity
    prefix = sent.prefix if case.mode == "prefix" else len(sent.plain)
    until = {"model": prefix}
    change: dict[str, Check] = {"model": equals(asked.model)}
    insert: dict[str, Check] = {} if explicit else {"model": equals(asked.model)}
    drop: frozenset[str] = frozenset()
    may_insert: frozenset[str] = frozenset()
    if asked.thinks and case.api != "completions":
        merged = _THINKS if case.api == "responses" else {_KWARGS: _THINKS[_KWARGS]}
        change |= {name: _merged(new) for name, new in merged.items()}
        insert |= {name: equals(new) for name, new in merged.items()}
        drop = frozenset({"reasoning_effort"} if case.api == "chat" else ())
        # Only where max_tokens leaves room for it.
        may_insert = frozenset({"thinking"} if case.api == "messages" else ())
    if asked.prompted and case.api in _SYSTEM:
        change[_SYSTEM[case.api]] = _system
        insert[_SYSTEM[case.api]] = equals(PROMPT)
    once = frozenset({turns}) if case.duplicate == "turns" else frozenset()
    inner = frozenset({"content"}) if case.duplicate == "content" else frozenset()
    if asked.prompted and case.api == "chat":
        change[turns] = _conversation(inner)
    elif inner:
        change[turns] = first_stays("content", loose=case.mode == "prefix")
    stated = Stated(
        change=change, insert=insert, drop=drop, once=once, may_insert=may_insert, until=until
    )
    if explicit:
        # Nothing was judged: what the client wrote twice may stay.
        return [stated, Stated(change={"model": change["model"]}, until=until)]
    if case.mode == "prefix":
        return [stated, *_of_a_prefix(stated, turns, asked)]
    return [stated]


def _of_a_prefix(stated: Stated, turns: str, asked: Asked) -> list[Stated]:
    """Edits whose place lies behind the prefix are not made."""
    model = {"model": stated.change["model"]}
    names = (stated.change.keys() - {"model"}) | stated.drop
    # A duplicate that the cut goes through stays: its other half passes by itself.
    loose = {name: _either(stated.change.get(name)) for name in names}
    may = frozenset(stated.insert) - {"model"}
    base = Stated(change=loose | model, may_insert=may, until=stated.until)
    return [
        replace(base, drop=drop, once=once)
        for drop in (frozenset(), stated.drop)
        for once in (frozenset(), stated.once)
    ]


def _either(check: Check | None) -> Check:
    def either(before: bytes | None, after: bytes) -> str:
        return "" if before == after or check is None else check(before, after)

    return either


def _merged(new: Mapping[str, object]) -> Check:
    def check(before: bytes | None, after: bytes) -> str:
        return equals(json.loads(before or b"{}") | new)(before, after)

    return check


def _system(before: bytes | None, after: bytes) -> str:
    old, new = json.loads(before or b'""'), json.loads(after)
    return _prompted(old, new)


def _prompted(old: object, new: object) -> str:
    if isinstance(old, str):
        wanted = [f"{PROMPT}\n\n{old}" if old else PROMPT]
        return "" if new in wanted else f"system text {str(new)[:80]!r}"
    if isinstance(new, list) and isinstance(old, list) and new[1:] == old:
        text = new[0].get("text", "") if isinstance(new[0], dict) else ""
        return "" if text.strip() == PROMPT else f"system part {new[0]!r}"
    return f"system text {str(new)[:80]!r}"


def _conversation(once: frozenset[str]) -> Check:
    """A chat: the first message is, or is put before by, one with the prompt."""

    def check(before: bytes | None, after: bytes) -> str:
        old, new = values(before or b"[]"), values(after)
        first = json.loads(new[0])
        if len(new) == len(old) + 1:
            if first != {"role": "system", "content": PROMPT}:
                return f"the new message is {str(first)[:80]}"
            return same_items(old, new[1:], once)
        was = json.loads(old[0])
        problem = _prompted(was.get("content"), first.get("content"))
        if was.get("role") not in ("system", "developer"):
            problem = problem or "the prompt went into a message of the user"
        return problem or same_items(old[1:], new[1:], once)

    return check


def _evidence(case: Case, sent: Sent, left: Left) -> list[str]:
    """The text that counts decided, where all of it came in time."""
    if left.fired or not left.decided or case.mode == "prefix":
        return []
    made = left.decided[-1]
    if made.basis == "explicit":
        return []
    wanted = ruled(case, sent.plain)
    if case.decision == "attack":
        wanted = Ruled("guarded", "complete")
    if wanted is None:
        return []
    bases = {wanted.basis}
    if not sent.scored and case.decision == "attack":
        bases.add("fallback")  # where the turns were asked about before all of it was read
    elif not sent.scored:
        wanted, bases = Ruled(None, "fallback"), {"fallback"}
    if case.decision == "memo" and wanted.basis == "early":
        bases = {"memo"}
    right = made.name == wanted.name and made.basis in bases
    return [] if right else [f"decided {made.name} by {made.basis}, and the rule says {wanted}"]


def _parity(case: Case, sent: Sent, name: Named, left: Left, reference: Left) -> list[str]:
    if left.fired or _unroutable(case, sent, name):
        return []
    if case.mode == "prefix" and left.decided and left.decided[-1].basis in _TIMED:
        return []  # it says that it was decided on less
    if case.mode == "prefix" and left.status == 503:
        return []  # it says that a rule that blocks saw less
    mine, theirs = _decision(left, case), _decision(reference, case)
    return [] if mine == theirs else [f"decided {mine}, and uncut {theirs}"]


def _decision(left: Left, case: Case) -> tuple[object, ...]:
    if left.ending == "refused":
        return ("refused", left.status)
    if not left.decided:
        return ("undecided", left.ending, left.why)
    made = left.decided[-1]
    basis = "-" if case.decision == "memo" else str(made.basis)
    return (made.model, made.name, basis)
