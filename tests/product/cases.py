"""Runs cases: builds the body, plays it, and asks the oracle. `python tests/product/cases.py`.

Why this file exists: the suite in CI, the long run (`make product`) and the soak share one way from
a case to a verdict. It must not know what is right.

    python tests/product/cases.py                   COUNT (20000) random cases, over all cores
    python tests/product/cases.py 'duplex|envoy|...' one case, as a failure prints it
"""

from __future__ import annotations

import collections
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from product.axes import Case, draw  # noqa: E402
from product.bodies import PATHS, TURNS, written  # noqa: E402
from product.oracle import Left, Sent, judge  # noqa: E402
from product.play import Request, Run, play, reference  # noqa: E402
from product.settings import policy_for  # noqa: E402
from product.tokens import members  # noqa: E402
from product.wires import cut, encoded  # noqa: E402

from srd.exchange.events import Pressure, Timer, TimerFired  # noqa: E402

_GIANTS = 2000  # one body of 12 MB in so many


def try_case(case: Case) -> tuple[list[str], Left]:
    """What is wrong with a case, and what happened to it. Deterministic."""
    sent, request = prepared(case)
    policy = policy_for(case.setting, case.decision)
    run = play(policy, request)
    if case.decision == "memo":
        run = play(policy, request)
    left = seen(run)
    return judge(case, sent, left, None if run.fired else uncut(case, sent, request)), left


def uncut(case: Case, sent: Sent, request: Request) -> Left:
    """What becomes of the same document uncut, bare, in full duplex, remembered by nobody."""
    fresh = policy_for(case.setting, case.decision)
    return seen(reference(fresh, request, sent.plain))


def prepared(case: Case) -> tuple[Sent, Request]:
    """The body as it is sent and the request that sends it."""
    rng = random.Random(f"request {case.seed}")
    plain = written(case).raw
    wire, header = encoded(plain, case.encoding, case.seed)
    marks = _marks(plain, case) if not case.encoding else []
    prefix = len(wire)
    if case.mode == "prefix":
        prefix = rng.randrange(1, len(wire))
    pieces = cut(wire[:prefix], case.cut, case.seed, marks)
    headers = [] if header is None else [("content-encoding", header.encode())]
    if rng.random() < 0.5:
        headers.append(("content-length", b"%d" % len(wire)))
    half = max(0, len(pieces) // 2 - 1)
    events = {
        "timer": tuple((at, TimerFired(Timer.BUDGET)) for at in range(len(pieces))),
        "deadline": ((half, TimerFired(Timer.DEADLINE)),),
        "pressure": ((half, Pressure()),),
    }.get(case.decision, ())
    answers = {"timer": "silent", "deadline": "silent", "fallback": "fail"}
    request = Request(
        mode=case.mode,
        dialect=case.dialect,  # type: ignore[arg-type]
        path=PATHS[case.api],
        headers=tuple(headers),
        pieces=pieces,
        trailers=case.trailers,
        rest=wire[prefix:],
        answers=answers.get(case.decision, "score"),
        lag=rng.choice((0, 0, 1, 3)),
        events=events,
        own_end=case.mode in ("duplex", "streamed") and rng.random() < 0.3,
    )
    coding = "" if header in (None, "identity") else str(header)
    return Sent(plain, wire, coding, prefix, case.decision != "fallback"), request


def _marks(plain: bytes, case: Case) -> list[int]:
    """Where tokens that matter begin or end."""
    names = {"model", TURNS[case.api]}
    return [at for m in members(plain) if m.name in names for at in (m.start, m.value, m.end)]


def seen(run: Run) -> Left:
    """What the client, the backend and the record saw."""
    gateway = run.gateway
    refused = gateway.refused
    why = repr(run.error) if run.error else ""
    if refused is not None:
        why = (refused.body or b"").decode()[:200]
    elif run.ending == "broken" and not why:
        why = "the body never ended"
    return Left(
        ending=run.ending,
        body=bytes(gateway.left),
        headers=gateway.headers,
        decided=tuple(command.decision for command in run.decided),
        status=refused.status if refused is not None else 0,
        why=why,
        fired=run.fired,
        held=run.held,
    )


def checked(case: Case) -> tuple[Case, list[str], str]:
    """The case, its problems, and how it ended, e.g. "clean explicit"."""
    try:
        problems, left = try_case(case)
    except Exception as error:
        return case, [f"the suite itself failed: {type(error).__name__}: {error}"], "failed"
    basis = left.decided[-1].basis if left.decided else "-"
    return case, problems, f"{left.ending} {left.status or basis}"


def random_cases(count: int, seed: int) -> Iterator[Case]:
    """Random cases; one in 2,000 is of 12 MB."""
    rng = random.Random(seed)
    for index in range(count):
        yield draw(rng, sizes=("giant",) if index % _GIANTS == _GIANTS - 1 else ("any",))


def run_all(cases: Iterable[Case], *, processes: int | None = None, show: int = 20) -> int:
    """Try them over all cores, print failures and a summary; how many failed."""
    started, done, failed = time.monotonic(), 0, 0
    endings: collections.Counter[str] = collections.Counter()
    with multiprocessing.Pool(processes) as pool:
        for case, problems, ending in pool.imap_unordered(checked, cases, chunksize=8):
            done, endings[ending] = done + 1, endings[ending] + 1
            if problems:
                failed += 1
                if failed <= show:
                    print(f"FAILED {case}\n       " + "\n       ".join(problems), flush=True)
    seconds = time.monotonic() - started
    counts = ", ".join(f"{ending} {count}" for ending, count in endings.most_common())
    print(f"{done} cases, {failed} failed, {seconds:.0f} s: {counts}")
    if failed:
        print("repeat one with: python tests/product/cases.py 'CASE'")
    return failed


def main() -> int:
    """The long run, or the cases that are named."""
    if len(sys.argv) > 1:
        return run_all([Case.parse(text) for text in sys.argv[1:]], processes=1)
    count, seed = int(os.environ.get("COUNT", "20000")), os.environ.get("SEED")
    start = int(seed) if seed else random.randrange(1 << 32)
    print(f"seed {start}")
    return run_all(random_cases(count, start))


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
