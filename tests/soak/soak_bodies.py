"""Random bodies, codings, cuts, modes and moments against the machine, until one leaves wrong.

Why this file exists: the product has named values; what lies between them (a timer behind any
message, a flipped bit, a client that leaves) is found by numbers. One seed is one case, whatever
the machine. It must not know what is right: the product's oracle does.

    python tests/soak/soak_bodies.py            CASES (1,000,000) cases over all cores, from SEED
    python tests/soak/soak_bodies.py 17 4711    these seeds, one by one
"""

from __future__ import annotations

import collections
import json
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from product.axes import Case, draw  # noqa: E402
from product.cases import prepared, seen, uncut  # noqa: E402
from product.oracle import Left, Sent, judge  # noqa: E402
from product.play import Request, play  # noqa: E402
from product.settings import policy_for  # noqa: E402
from product.wires import decoded  # noqa: E402

from srd.exchange.events import Event, Pressure, Timer, TimerFired  # noqa: E402

_SIZES = ("small",) * 12 + ("medium", "large", "any")
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed's case: what is wrong, how it ended."""

    seed: int
    case: Case
    harm: str
    problems: tuple[str, ...]
    ending: str


def soak(seed: int) -> Outcome:
    """The case of a seed. Never raises."""
    rng = random.Random(seed)
    case = draw(rng, sizes=_SIZES)
    harm = rng.choice(("",) * 12 + ("flip", "short", "abort"))
    if harm in ("flip", "short") and (not case.encoding or case.mode == "prefix"):
        harm = ""
    try:
        problems, ending = _try(case, harm, rng)
    except Exception as error:
        problems, ending = [f"the suite itself failed: {type(error).__name__}: {error}"], "failed"
    return Outcome(seed, case, harm, tuple(problems), ending)


def _try(case: Case, harm: str, rng: random.Random) -> tuple[list[str], str]:
    sent, request = prepared(case)
    request = _timed(request, rng)
    sent = replace(sent, scored=request.answers != "fail")
    policy = policy_for(case.setting, case.decision)
    if case.decision == "memo":
        play(policy, request)
    if harm == "abort" and len(request.pieces) == 1:
        harm = ""  # behind the last piece nothing is missing
    if harm == "abort":
        request = replace(request, leaves_behind=rng.randrange(len(request.pieces) - 1))
        return _aborted(seen(play(policy, request))), "abort"
    if harm:
        sent, request = _harmed(sent, request, harm, rng)
    left = seen(play(policy, request))
    ending = f"{harm} {left.ending}".strip()
    if harm and not _reads(sent):
        return _of_damage(case, sent, left), ending
    if harm and (left.status == 400 or not _same(sent)):  # decoders differ in what they forgive
        return [f"{left.held} bytes are still held"] if left.held else [], ending
    reference = None if left.fired else uncut(case, sent, request)
    problems = judge(case, sent, left, reference)
    return ([] if _was_let_go(case, left, problems) else problems), ending


def _timed(request: Request, rng: random.Random) -> Request:
    """The same, with things that happen meanwhile, in every third request."""
    if rng.random() > 0.35:
        return request
    happens: list[Event] = [Pressure(), *(TimerFired(timer) for timer in Timer)]
    events = [
        (rng.randrange(len(request.pieces)), rng.choice(happens))
        for _ in range(rng.choice((1, 1, 2, 4)))
    ]
    answers = rng.choice(("score", "score", "fail", "silent"))
    return replace(
        request,
        events=(*request.events, *events),
        answers=answers,
        lag=rng.choice((0, 1, 2, 8)),
    )


def _harmed(sent: Sent, request: Request, harm: str, rng: random.Random) -> tuple[Sent, Request]:
    """A packed body with a flipped bit, or cut short."""
    wire = bytearray(sent.wire)
    if harm == "flip":
        wire[rng.randrange(len(wire))] ^= 1 << rng.randrange(8)
    else:
        del wire[rng.randrange(1, len(wire)) :]
    pieces, at = [], 0
    for piece in request.pieces:
        pieces.append(bytes(wire[at : at + len(piece)]))
        at += len(piece)
    headers = tuple(
        (name, b"%d" % len(wire) if name == "content-length" else value)
        for name, value in request.headers
    )
    wire_bytes = bytes(wire)
    return (
        replace(sent, wire=wire_bytes, prefix=len(wire_bytes)),
        replace(request, pieces=pieces, headers=headers),
    )


def _reads(sent: Sent) -> bool:
    """True when the harm cannot be seen: it left no trace, or the coding has no checksum."""
    try:
        decoded(sent.wire, sent.coding)
    except Exception:
        return False
    return True


def _same(sent: Sent) -> bool:
    """True when the harm left no trace, as in a file name or a time stamp."""
    return bytes(decoded(sent.wire, sent.coding)) == bytes(sent.plain)


def _aborted(left: Left) -> list[str]:
    """The client left: nothing may be held, nothing may look whole that is not."""
    found = [f"{left.held} bytes are still held"] if left.held else []
    return found + (["it ended clean and the client was gone"] if left.ending == "clean" else [])


def _was_let_go(case: Case, left: Left, problems: list[str]) -> bool:
    """STREAMED and its timer: the comma before a duplicate had to leave, and its value became null,
    which no backend takes for turns."""
    late = case.mode == "streamed" and left.fired and case.duplicate != "none"
    return late and b":null" in left.body and all("members [" in text for text in problems)


def _of_damage(case: Case, sent: Sent, left: Left) -> list[str]:
    """A damaged body may be refused, may leave as it came, or must be seen to break: never with a
    document that a backend can read."""
    found = [f"{left.held} bytes are still held"] if left.held else []
    if left.ending == "refused":
        return found
    packed = "content-encoding" in left.headers
    if packed and left.ending == "clean" and left.body == sent.wire:
        return found
    if packed and left.ending == "broken" and sent.wire.startswith(left.body):
        return found
    endless = case.mode == "streamed" and case.trailers == "skip"  # nobody says when it ends
    if left.ending == "clean" and not endless:
        return [*found, f"damaged, and it ended clean: {left.body[:40]!r}"]
    try:
        json.loads(left.body.decode("utf-8-sig", "replace"))
    except ValueError:
        return found
    return [*found, "damaged, and the backend read a whole document"]


def soak_many(seeds: Sequence[int]) -> list[Outcome]:
    """A chunk of seeds; only what is worth telling of each."""
    return [soak(seed) for seed in seeds]


def chunks(first: int, cases: int) -> Iterator[range]:
    """The seeds in chunks."""
    for start in range(first, first + cases, _CHUNK):
        yield range(start, min(start + _CHUNK, first + cases))


def tell(outcome: Outcome) -> str:
    """A failure, and how to repeat it."""
    why = "\n       ".join(outcome.problems)
    return (
        f"FAILED seed {outcome.seed} ({outcome.case}, {outcome.harm or 'no'} harm)\n       {why}\n"
        f"       repeat: python tests/soak/soak_bodies.py {outcome.seed}"
    )


def main() -> int:
    """The long run, or the seeds that are named; the number of failures."""
    named = [int(text) for text in sys.argv[1:]]
    cases = len(named) or int(os.environ.get("CASES", "1000000"))
    first = int(os.environ.get("SEED") or random.randrange(1 << 40))
    print(f"{cases} cases" + ("" if named else f" from seed {first}"), flush=True)
    work = [named] if named else chunks(first, cases)
    started, failed = time.monotonic(), 0
    endings: collections.Counter[str] = collections.Counter()
    with multiprocessing.Pool(1 if named else None) as pool:
        for outcomes in pool.imap_unordered(soak_many, work):
            for outcome in outcomes:
                endings[outcome.ending] += 1
                failed += bool(outcome.problems)
                if outcome.problems and failed <= 50:
                    print(tell(outcome), flush=True)
    counts = ", ".join(f"{ending} {count}" for ending, count in endings.most_common())
    seconds = time.monotonic() - started
    print(f"soak: {sum(endings.values())} cases, {failed} failed, {seconds:.0f} s: {counts}")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
