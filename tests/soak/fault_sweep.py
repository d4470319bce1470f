"""A MemoryError at every statement, one a run: how does the request end?

Why this file exists: "a fault ends visibly, never as a clean end with other bytes" is a sentence
about every statement, so every statement is tried. Each transcript runs once to see which lines are
passed how often; then once for every (line, pass), with the fault there. It must not know what the
statements do.

    python tests/soak/fault_sweep.py                  all of them, over all cores
    python tests/soak/fault_sweep.py --write          the same, and the table into docs/faults.md
    python tests/soak/fault_sweep.py 'TRANSCRIPT FILE:LINE:PASS' ...    these, with what left
"""

from __future__ import annotations

import asyncio
import collections
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from product.axes import Case  # noqa: E402
from product.cases import prepared  # noqa: E402
from product.oracle import Left, Sent, judge  # noqa: E402
from product.play import Request  # noqa: E402
from product.settings import policy_for  # noqa: E402
from soak.stage import Shown, perform  # noqa: E402

#: Where faults are put; a name is a folder or one file.
ROOMS = (
    "srd/exchange", "srd/body", "srd/decide", "srd/signals", "srd/plugins",
    "srd/daemon/translate.py", "srd/daemon/stream.py", "srd/daemon/mailbox.py",
)  # fmt: skip
#: Rooms without I/O: a fault there, before anything is bound, must be a refusal or the default.
PURE = ROOMS[:5]
#: Which passes of a line are tried.
PASSES = (1, 2, 5)
TABLE = ROOT / "docs" / "faults.md"

WRONG, HANGS, LEAKS = "CLEAN AND WRONG", "hangs", "leaks"
CLASSES = ("right", "fallback", "refused", "broken", "error", WRONG, HANGS, LEAKS)


def _case(**changes: str | int) -> Case:
    plain = Case(
        mode="duplex", dialect="envoy", trailers="none", encoding="", size="budget",
        model="auto front", api="chat", cut="random", decision="scored", topic="plain",
        setting="small", duplicate="none", shape="text", seed=5,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


TRANSCRIPTS: dict[str, Case] = {
    "duplex, complete": _case(size="tiny", topic="thinks"),
    "duplex, early": _case(size="medium", seed=8),
    "duplex, early, thinks": _case(size="medium", topic="thinks", model="auto behind"),
    "duplex, early, prompted": _case(size="medium", topic="prompted", model="absent"),
    "duplex, named": _case(size="medium", model="named front"),
    "duplex, two names": _case(size="medium", model="two names", trailers="send"),
    "duplex, turns twice": _case(size="tiny", duplicate="turns", dialect="agentgateway"),
    "duplex, gzip, early": _case(size="medium", encoding="gzip", topic="thinks"),
    "duplex, gzip, named": _case(size="medium", encoding="gzip", model="named front"),
    "duplex, br, complete": _case(size="tiny", encoding="br"),
    "duplex, zstd, inflated": _case(size="medium", encoding="zstd", setting="inflate"),
    "duplex, messages": _case(size="tiny", api="messages", topic="prompted"),
    "duplex, responses": _case(size="tiny", api="responses", topic="thinks"),
    "streamed": _case(mode="streamed", size="medium", topic="thinks"),
    "streamed, named": _case(mode="streamed", size="budget", model="named behind"),
    "streamed, gzip": _case(mode="streamed", size="medium", encoding="gzip"),
    "buffered": _case(mode="buffered", size="budget", cut="whole", topic="prompted"),
    "buffered, gzip": _case(mode="buffered", size="medium", cut="whole", encoding="gzip"),
    "buffered, named, trailers": _case(
        mode="buffered", size="tiny", cut="whole", model="named front", trailers="send"
    ),
    "partial": _case(mode="partial", size="tiny", cut="whole", topic="thinks"),
    "prefix": _case(mode="prefix", size="medium", cut="whole"),
}


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """The `nth` time that a line is passed in a transcript."""

    transcript: str
    file: str
    line: int
    nth: int

    def __str__(self) -> str:
        return f"{self.transcript} {self.file}:{self.line}:{self.nth}"

    @classmethod
    def parse(cls, text: str) -> Fault:
        """The fault that `str` wrote."""
        transcript, _, place = text.rpartition(" ")
        file, line, nth = place.split(":")
        return cls(transcript, file, int(line), int(nth))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run with a fault ended, and why that is so."""

    fault: Fault
    how: str
    why: str


class Sweep:
    """One transcript, as often as wanted, on one loop of its own."""

    def __init__(self, transcript: str) -> None:
        logging.disable(logging.CRITICAL)
        self.transcript = transcript
        self.case = TRANSCRIPTS[transcript]
        self.sent, self.request = _whole(self.case)
        self._loop = asyncio.new_event_loop()
        self._passes: collections.Counter[tuple[str, int]] = collections.Counter()
        for _ in range(2):  # what is compiled or cached once is not a statement of every run
            self.right = self._run(None)
        self._passes.clear()
        self._run(None)
        self.passes = dict(self._passes)

    def close(self) -> None:
        self._loop.close()

    def faults(self) -> list[Fault]:
        """Every line that is passed, at some of its passes."""
        return [
            Fault(self.transcript, str(Path(file).relative_to(ROOT)), line, nth)
            for (file, line), passes in sorted(self.passes.items())
            for nth in PASSES
            if nth <= passes
        ]

    @property
    def baseline(self) -> tuple[str, str]:
        """How the transcript ends without a fault, and why: not "right" means that its table is
        worth nothing."""
        return self._judged(self.right)

    def inject(self, fault: Fault) -> Ended:
        """One run with the fault."""
        shown = self._run(fault)
        how, why = self._judged(shown)
        return Ended(fault, how, why)

    def _run(self, fault: Fault | None) -> Shown:
        wanted = None if fault is None else (str(ROOT / fault.file), fault.line)
        nth = 0 if fault is None else fault.nth
        passed = 0

        def local(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal passed
            if event == "line":
                key = (frame.f_code.co_filename, frame.f_lineno)
                if wanted is None:
                    self._passes[key] += 1
                elif key == wanted:
                    passed += 1
                    if passed == nth:
                        raise MemoryError("injected")
            return local

        def trace(frame: FrameType, event: str, arg: Any) -> Any:
            file = frame.f_code.co_filename
            if wanted is not None:
                return local if file == wanted[0] else None
            return local if file.startswith(_PREFIXES) else None

        policy = policy_for(self.case.setting)
        around = lambda on: sys.settrace(trace if on else None)  # noqa: E731
        return self._loop.run_until_complete(perform(policy, self.request, around))

    def _judged(self, shown: Shown) -> tuple[str, str]:
        gateway, made = shown.gateway, shown.decision
        if shown.hangs:
            return HANGS, "the stream never ended"
        if shown.held:
            return LEAKS, f"{shown.held} bytes are still counted as held"
        if gateway.refused is not None and not shown.punished:
            return "refused", str(gateway.refused.status)
        if gateway.clean and not shown.punished:
            left = Left(
                ending="clean",
                body=bytes(gateway.left),
                headers=gateway.headers,
                decided=() if made is None else (made,),
                fired=True,
            )
            problems = judge(self.case, self.sent, left, None)
            if problems:
                return WRONG, "; ".join(problems)
            if made is not None and made.basis == "fallback":
                return "fallback", made.fallback_reason
            usual = self.right.decision
            if made is not None and usual is not None and made.model != usual.model:
                return WRONG, f"{made.model} instead of {usual.model}, and nothing says why"
            return "right", ""
        why = shown.punished or repr(shown.raised or shown.status)
        return ("broken" if shown.bound else "error"), why


_PREFIXES = tuple(str(ROOT / room) + ("" if room.endswith(".py") else "/") for room in ROOMS)


def _whole(case: Case) -> tuple[Sent, Request]:
    sent, request = prepared(case)
    return sent, replace(request, own_end=False, lag=0, events=())


def sweep(transcript: str, faults: Sequence[Fault] | None = None) -> list[Ended]:
    """These faults of a transcript, all of them if none are named."""
    stage = Sweep(transcript)
    try:
        return [stage.inject(fault) for fault in (stage.faults() if faults is None else faults)]
    finally:
        stage.close()


def room_of(fault: Fault) -> str:
    """The room that a fault is in."""
    return next(room for room in ROOMS if fault.file.startswith(room))


def bad(ended: Ended) -> bool:
    """True for what may not happen: wrong bytes, a hang, bytes that are never given back, or
    before anything is bound neither refusal nor default, where the room is pure."""
    unanswered = ended.how == "error" and room_of(ended.fault) in PURE
    return ended.how in (WRONG, HANGS, LEAKS) or unanswered


def table(results: Iterable[Ended]) -> str:
    """How the runs ended, by the room of the fault."""
    counts: collections.Counter[tuple[str, str]] = collections.Counter(
        (room_of(ended.fault), ended.how) for ended in results
    )
    lines = ["| fault in | " + " | ".join(CLASSES) + " |", "|---" * (len(CLASSES) + 1) + "|"]
    for room in (*ROOMS, "all"):
        cells = [
            sum(n for (place, how), n in counts.items() if how == kind and room in (place, "all"))
            for kind in CLASSES
        ]
        if any(cells):
            lines.append(f"| {room} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def document(results: Sequence[Ended]) -> str:
    """docs/faults.md."""
    return f"""# A fault at every statement

`make fault-sweep` lets each statement that a request passes raise `MemoryError`, one a run, on its
passes {", ".join(map(str, PASSES))}, and looks at what the client and the backend get. The driver
runs whole, over a stream without a socket. {len(results):,} faults in {len(TRANSCRIPTS)}
transcripts ({"; ".join(TRANSCRIPTS)}):

{table(results)}

* right: nothing is lost, the same decision; the fault hit what watches the request or frees it.
* fallback: the default model, and the record says so. refused: the client gets an error of ours.
* broken: the header reply was out; the stream ends with an error and the backend sees it.
* error: nothing was out, and the gateway's own failure mode answers.
* {WRONG}: other bytes, or another decision, and nothing says so. hangs, leaks: as they say.
  None of these three may happen.
"""


def _chunks(faults: Sequence[Fault], size: int = 300) -> list[tuple[str, list[Fault]]]:
    return [
        (name, mine[at : at + size])
        for name in dict.fromkeys(fault.transcript for fault in faults)
        for mine in [[fault for fault in faults if fault.transcript == name]]
        for at in range(0, len(mine), size)
    ]


def _faults_of(transcript: str) -> list[Fault]:
    stage = Sweep(transcript)
    try:
        return stage.faults()
    finally:
        stage.close()


def _show(wrong: Sequence[Ended]) -> None:
    """The worst first, one line of each statement."""
    places = {(e.how, e.fault.file, e.fault.line): e for e in reversed(wrong)}
    order = {kind: at for at, kind in enumerate((WRONG, HANGS, LEAKS, "error"))}
    for ended in sorted(places.values(), key=lambda e: (order[e.how], e.fault))[:60]:
        print(f"{ended.how}: {ended.why[:200]}\n    repeat: fault_sweep.py '{ended.fault}'")


def main() -> int:
    """The whole sweep, or the faults that are named; how many ended as they may not."""
    named = [Fault.parse(text) for text in sys.argv[1:] if text != "--write"]
    if named:
        for ended in (sweep(fault.transcript, [fault])[0] for fault in named):
            print(f"{ended.fault}: {ended.how} {ended.why}")
        return 0
    started, results = time.monotonic(), []
    with multiprocessing.Pool(int(os.environ.get("PROCESSES", "0")) or None) as pool:
        faults = [fault for found in pool.map(_faults_of, TRANSCRIPTS) for fault in found]
        for ended in pool.starmap(sweep, _chunks(faults)):
            results += ended
    wrong = [ended for ended in results if bad(ended)]
    _show(wrong)
    print(table(results))
    seconds = time.monotonic() - started
    print(f"{len(results)} faults, {len(wrong)} ended as none may, {seconds:.0f} s")
    if "--write" in sys.argv:
        TABLE.write_text(document(results), encoding="utf-8")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
