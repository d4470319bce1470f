"""Paced uploads and loads through a real Envoy, three processors side by side in one run.

    python benchmarks/streaming.py [--quick]

Writes benchmarks/results/streaming.{json,md,png}. Every figure is a median with its range over
interleaved rounds; "added" is what an arm costs more than the same Envoy without a processor in
the same round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from rig import ARMS, Rig, body, upload

RESULTS = Path(__file__).resolve().parent / "results"
MIB = 1 << 20


def spread(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)


def paced(rig: Rig, size: int, rate: float, rounds: int) -> dict[str, dict[str, object]]:
    """Uploads of one size and pace: added first and last byte, memory, CPU, per arm."""
    rows: dict[str, dict[str, list[float]]] = {
        arm: {"first": [], "last": [], "memory": [], "cpu": [], "plain": []} for arm in ARMS
    }
    notes: dict[str, str] = {}
    for number in range(rounds):
        for arm in rig.arms:
            data = body(size, hash((size, rate, number)) & 0xFFFFFF)
            plain = upload(
                arm.envoy.ports["plain"], data.replace(b'"auto"', b'"base-model"', 1), rate
            )
            before, cpu = arm.process.rss(), arm.process.cpu()
            arm.process.reset_peak()
            seen = upload(arm.envoy.ports["duplex"], data, rate)
            row = rows[arm.name]
            row["first"].append((seen.first - plain.first) * 1000)
            row["last"].append((seen.last - plain.last) * 1000)
            row["memory"].append((arm.process.peak() - before) / MIB)
            row["cpu"].append((arm.process.cpu() - cpu) * 1000)
            row["plain"].append(plain.first * 1000)
            notes[arm.name] = f"{seen.model} {seen.basis} {seen.read}"
    return {
        arm: {key: spread(values) for key, values in row.items()} | {"note": notes[arm]}
        for arm, row in rows.items()
    }


async def _post(port: int, data: bytes) -> float:
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=MIB)
    writer.write(
        (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\n"
            "content-type: application/json\r\n"
            f"content-length: {len(data)}\r\nconnection: close\r\n\r\n"
        ).encode()
    )
    writer.write(data)
    await writer.drain()
    first = await reader.readline()
    took = time.perf_counter() - began
    if b" 200 " not in first:
        raise RuntimeError(first.decode())
    while await reader.read(65536):
        pass
    writer.close()
    return took * 1000


async def _load(port: int, bodies: list[bytes], concurrency: int) -> list[float]:
    gate = asyncio.Semaphore(concurrency)

    async def one(data: bytes) -> float:
        async with gate:
            return await _post(port, data)

    return list(await asyncio.gather(*(one(data) for data in bodies)))


def load(
    rig: Rig, size: int, concurrency: int, requests: int, rounds: int
) -> dict[str, dict[str, object]]:
    """Requests at a concurrency: time to the response's first line, p50 and p99, and rate."""
    rows: dict[str, dict[str, list[float]]] = {
        arm: {"p50": [], "p99": [], "rate": [], "cpu": []} for arm in ARMS
    }
    for number in range(rounds):
        for arm in rig.arms:
            bodies = [
                body(size, (concurrency * 100 + number) * 100_000 + index)
                for index in range(requests)
            ]
            cpu, began = arm.process.cpu(), time.perf_counter()
            times = sorted(asyncio.run(_load(arm.envoy.ports["duplex"], bodies, concurrency)))
            row = rows[arm.name]
            row["p50"].append(times[len(times) // 2])
            row["p99"].append(times[min(len(times) - 1, int(len(times) * 0.99))])
            row["rate"].append(requests / (time.perf_counter() - began))
            row["cpu"].append((arm.process.cpu() - cpu) / requests * 1000)
    return {arm: {k: spread(v) for k, v in row.items()} for arm, row in rows.items()}


def run(quick: bool) -> dict[str, object]:
    rig = Rig()
    results: dict[str, object] = {"paced": {}, "load": {}, "machine": "2 cores, loopback"}
    mbit = 1e6 / 8
    try:
        for arm in rig.arms:  # warm everything once
            upload(arm.envoy.ports["duplex"], body(10_000, 1), 0)
        cells = [
            (1, 100, 5),
            (10, 100, 3),
            (100, 100, 2),
            (1, 1000, 5),
            (10, 1000, 3),
            (100, 1000, 3),
        ]
        for size, rate, rounds in cells[:2] if quick else cells:
            name = f"{size} MB at {rate} Mbit/s"
            results["paced"][name] = paced(rig, size * 1_000_000, rate * mbit, rounds)  # type: ignore[index]
            print(name, flush=True)
        chats = [(800, 1, 40), (800, 16, 160)]
        prompts = [(220_000, c, max(60, c)) for c in (20, 60, 100, 150)]
        for size, concurrency, requests in chats[:1] if quick else chats + prompts:
            name = f"{size / 1000:g} KB, {concurrency} at once"
            results["load"][name] = load(rig, size, concurrency, requests, 1 if quick else 3)  # type: ignore[index]
            print(name, flush=True)
        results["flat"] = flat(rig, 1 if quick else 5)
    finally:
        rig.stop()
    return results


def flat(rig: Rig, rounds: int) -> dict[str, object]:
    """Time to the upstream's first byte with 100 MB against 100 KB, at full speed, srd early."""
    arm = rig.arms[0]
    times: dict[int, list[float]] = {100_000: [], 100_000_000: []}
    for number in range(rounds):
        for size, row in times.items():
            row.append(upload(arm.envoy.ports["duplex"], body(size, 7_000_000 + number), 0).first)
    ratio = statistics.median(times[100_000_000]) / statistics.median(times[100_000])
    return {"100 MB over 100 KB": ratio}


def table(results: dict[str, object]) -> str:
    def cell(row: dict[str, object], key: str, form: str = "{:.1f}") -> str:
        middle, low, high = row[key]  # type: ignore[misc]
        return f"{form.format(middle)} ({form.format(low)}..{form.format(high)})"

    lines = [
        "# Streaming benchmark",
        "",
        "One run, arms interleaved, medians with ranges. *Added*: more than the same Envoy without",
        "a processor in the same round. Memory: peak over the process before the request.",
        "",
        "| upload | arm | added first byte, ms | added last byte, ms | memory, MiB | CPU, ms "
        "| decided |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, arms in results["paced"].items():  # type: ignore[attr-defined]
        for arm, row in arms.items():
            cells = (cell(row, "first"), cell(row, "last"), cell(row, "memory"), cell(row, "cpu"))
            lines.append(f"| {name} | {arm} | {' | '.join(cells)} | {row['note']} |")
        early, late = arms["srd early"]["first"][0], arms["accumulate"]["first"][0]
        lines.append(
            f"| {name} | **early / accumulate** | **1/{late / max(early, 0.01):.0f}** | | | | |"
        )
    lines += [
        "",
        "| load | arm | p50, ms | p99, ms | requests/s | CPU per request, ms |",
        "|---|---|---|---|---|---|",
    ]
    for name, arms in results["load"].items():  # type: ignore[attr-defined]
        for arm, row in arms.items():
            cells = (cell(row, "p50"), cell(row, "p99"), cell(row, "rate"), cell(row, "cpu"))
            lines.append(f"| {name} | {arm} | {' | '.join(cells)} |")
    ratio = results["flat"]["100 MB over 100 KB"]  # type: ignore[index]
    lines += [
        "",
        f"Time to the upstream's first byte, 100 MB body over 100 KB body: {ratio:.2f}.",
        "",
    ]
    return "\n".join(lines)


def plot(results: dict[str, object], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(15, 4.5))
    cells: list[tuple[str, str, Callable[[dict[str, object]], float]]] = [
        ("paced", "added to the upstream's first byte, ms", lambda row: row["first"][0]),  # type: ignore[index]
        ("paced", "memory added at peak, MiB", lambda row: row["memory"][0]),  # type: ignore[index]
        ("load", "p99 to the response's first line, ms", lambda row: row["p99"][0]),  # type: ignore[index]
    ]
    for axis, (part, title, value) in zip(axes, cells, strict=True):
        names = list(results[part])  # type: ignore[call-overload]
        for index, arm in enumerate(ARMS):
            heights = [max(value(results[part][name][arm]), 0.1) for name in names]  # type: ignore[index]
            axis.bar([x + index * 0.27 for x in range(len(names))], heights, 0.25, label=arm)
        axis.set_xticks([x + 0.27 for x in range(len(names))], names, rotation=30, ha="right")
        axis.set_yscale("log")
        axis.set_title(title)
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute, to see that it runs")
    options = parser.parse_args()
    results = run(options.quick)
    RESULTS.mkdir(exist_ok=True)
    text = table(results)
    print(text)
    if not options.quick:
        (RESULTS / "streaming.json").write_text(json.dumps(results, indent=1))
        (RESULTS / "streaming.md").write_text(text)
        plot(results, RESULTS / "streaming.png")


if __name__ == "__main__":
    main()
