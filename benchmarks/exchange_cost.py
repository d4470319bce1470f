"""What the machine costs, without a transport: CPU time of one exchange, by case.

Runs on any commit whose `srd.exchange.Exchange` takes events and returns commands, so that two
trees can be compared: `PYTHONPATH=TREE python benchmarks/exchange_cost.py`. `--against TREE`
does that: it runs both in turn, several times, and prints medians and ratios.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

CONFIG = """
version: v0.3
providers:
  defaults: {default_model: base-model}
  models: [{name: base-model, backend_refs: [{name: local, endpoint: "127.0.0.1:8000"}]}]
routing:
  modelCards: [{name: base-model, loras: [{name: math-expert}]}]
  signals: {keywords: [{name: maths, operator: OR, keywords: [derivative]}]}
  decisions:
    - name: math
      priority: 10
      rules: {operator: OR, conditions: [{type: keyword, name: maths}]}
      modelRefs: [{model: base-model, lora_name: math-expert}]
"""
PLAIN = "the derivative of a cube is asked for here, and then some more words follow it. "
RICH = 'the derivative\\n\\t\\"of\\" a cube\\u00e9 \\\\ is asked\\nfor '
MIB = 1 << 20


def chat(model: str, text: str, size: int) -> bytes:
    """A chat body of about `size` bytes; `text` is already escaped."""
    filler = (text * (size // len(text) + 1))[:size].rpartition(" ")[0]
    start = f'{{"model":"{model}","messages":[{{"role":"user","content":"'
    return (start + filler + '"}],"stream":true}').encode()


def cases() -> dict[str, tuple[bytes, str, int]]:
    """Name -> body, content-encoding, bytes of a message."""
    small = chat("auto", PLAIN, 600)
    named = chat("math-expert", PLAIN, MIB)
    rich = chat("math-expert", RICH, MIB)
    auto = chat("auto", PLAIN, MIB)
    return {
        "explicit, 600 B": (small.replace(b"auto", b"math-expert"), "", 16384),
        "auto complete, 600 B": (small, "", 16384),
        "explicit, 1 MiB plain": (named, "", 16384),
        "explicit, 1 MiB escape-rich": (rich, "", 16384),
        "auto early or remembered, 1 MiB plain": (auto, "", 16384),
        "auto, 1 MiB plain in gzip": (gzip.compress(auto, 1), "gzip", 16384),
    }


def measure(body: bytes, coding: str, step: int, rounds: int) -> float:
    """Least CPU seconds of one exchange in full duplex."""
    from srd.config import loads
    from srd.exchange import Exchange
    from srd.exchange import events as e
    from srd.exchange.policy import build_policy

    policy = build_policy(loads(CONFIG).document, None)
    room = getattr(e, "RoomMade", None)
    fields = {":method": "POST", ":path": "/v1/chat/completions", ":authority": "x"}
    fields |= {"content-type": "application/json"}
    if coding:
        fields["content-encoding"] = coding
    headers = tuple((k, v.encode()) for k, v in fields.items())
    pieces = [body[at : at + step] for at in range(0, len(body), step)]

    def once() -> None:
        exchange = Exchange(policy)
        exchange.receive(e.Opened(e.BodyMode.FULL_DUPLEX_STREAMED, e.BodyMode.NONE), 0.0)
        exchange.receive(e.HeadersArrived("request", headers), 0.0)
        for number, piece in enumerate(pieces):
            event = e.BodyArrived("request", piece, number == len(pieces) - 1)
            exchange.receive(event, 0.0)
            while room is not None and exchange.more:
                exchange.receive(room(), 0.0)
        exchange.receive(e.PeerEnded(reset=True), 0.0)

    return least(once, rounds)


def least(work: Callable[[], None], rounds: int) -> float:
    """The least CPU time of one call."""
    work()
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def run_here(rounds: int) -> dict[str, float]:
    """Case -> least CPU microseconds."""
    return {name: measure(*case, rounds) * 1e6 for name, case in cases().items()}


def run_tree(tree: Path, rounds: int) -> dict[str, float]:
    """The same in a process of its own, with the sources of `tree`."""
    command = [sys.executable, __file__, "--json", "--rounds", str(rounds)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(out.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.json:
        print(json.dumps(run_here(args.rounds)))
        return
    here = Path(__file__).resolve().parents[1]
    trees = [here] if args.against is None else [args.against, here]
    found: list[list[dict[str, float]]] = [[] for _ in trees]
    for _ in range(args.turns):
        for tree, runs in zip(trees, found, strict=True):
            runs.append(run_tree(tree, args.rounds))
    print(
        "| CPU microseconds of one exchange | "
        + ("before | after | after/before |" if args.against else "here |")
    )
    print("|---|" + "---|" * (3 if args.against else 1))
    for name in found[0][0]:
        middle = [statistics.median(run[name] for run in runs) for runs in found]
        row = [f"{value:.0f}" for value in middle]
        if args.against is not None:
            pairs = [b[name] / a[name] for a, b in zip(*found, strict=True)]
            row.append(f"{statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})")
        print(f"| {name} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
