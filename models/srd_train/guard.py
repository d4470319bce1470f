"""Fits the guard: logistic regression on the hashed n-grams of windows, stored as int8.

Why this file exists: `srd.classify.guard` defines the features and reads the table; this file fills
the table. Nothing else may. It needs numpy only.

A window is an attack, whole or a window of a long one that the encoder by itself flags, put at a
random place between benign text; or benign text alone. The benign windows that the guard finds most
suspicious join the training set, twice: what counts is the tail of seven thousand windows.
"""

from __future__ import annotations

import gzip
import html
import json
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from srd.classify.guard import Guard, GuardHashing, features

from .common import SEED, Log, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from .data import Row

WINDOW = 300
#: The log-odds from which on the encoder reads a window; chosen on dev for nine attacks of ten.
SUSPICION = -2.0
#: Log-odds taken from a reading for each tenfold of windows (results/inspection.md).
CAUTION = 1.0
HASHING = GuardHashing(bits=18, char_ngrams=(5,))
_TAG = re.compile(r"<script.*?</script>|<style.*?</style>|<[^>]{1,400}>", re.S | re.I)
_SUFFIXES = {
    ".txt", ".md", ".rst", ".py", ".pl", ".pm", ".pod", ".html", ".htm", ".json", ".yaml", ".yml",
    ".c", ".h", ".js", ".ts", ".go", ".rs", ".css", ".log", ".csv", ".tex", ".toml", ".sh", "",
}  # fmt: skip
_GLUE = (
    "\n",
    "\n\n",
    " ",
    " ",
    "",
    '"',
    ": ",
    "; ",
    " - ",
    "\n# ",
    "\n// ",
    " * ",
    "\n> ",
    "'",
    "(",
)
#: The longest part of one file that is taken.
_MOST = 400_000


@dataclass(frozen=True, slots=True)
class Document:
    """A benign text of some length. `split` depends on its name only."""

    name: str
    kind: str
    text: str
    split: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the guard is fitted."""

    epochs: int = 8
    batch: int = 512
    lr: float = 0.02
    decay: float = 2e-6
    hidden: float = 0.25
    benign: int = 90_000
    mined: int = 15_000
    rounds: int = 2


PLAN = Plan()


def documents(folders: Sequence[Path], *, most: int = 12_000_000) -> list[Document]:
    """The readable texts below `folders`, so many characters of each at most, assigned to train,
    dev or test by their names."""
    found: list[Document] = []
    for folder in folders:
        total = 0
        paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        for path in sorted(paths, key=lambda path: unit(str(path))):
            name = str(path.relative_to(folder))
            text = _readable(path) if total < most else None
            if text is None or len(text) < 400:
                continue
            found.append(Document(name, folder.name, text, split_of(name)))
            total += len(text)
    return found


def joined_rows(rows: Sequence[Row], kind: str, size: int = 40) -> list[Document]:
    """Documents of `size` texts each, of the rows' own splits."""
    found = []
    for split in ("train", "dev", "test"):
        texts = [row.text for row in rows if row.split == split]
        random.Random(SEED).shuffle(texts)
        for start in range(0, len(texts), size):
            text = "\n\n".join(texts[start : start + size])
            found.append(Document(f"{kind} {split} {start}", kind, text, split))
    return found


def split_of(name: str) -> str:
    """The split of a benign document."""
    place = unit(name)
    return "test" if place < 0.12 else "dev" if place < 0.2 else "train"


def enter(folder: Path) -> None:
    """Name the guard in the manifest of `folder`."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["guard"] = {"file": "guard.npz", "suspicion": SUSPICION, "caution": CAUTION}
    path.write_text(json.dumps(manifest, indent=2) + "\n")


def _readable(path: Path) -> str | None:
    packed = path.suffix == ".gz"
    suffix = path.with_suffix("").suffix if packed else path.suffix
    if suffix not in _SUFFIXES and not (packed and suffix[1:].isdigit()):
        return None
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            raw = file.read(4 * _MOST)
    except (OSError, EOFError):
        return None
    text = raw.decode("utf-8", "replace")
    if "\0" in text or text.count("\ufffd") * 100 > len(text):
        return None
    if suffix in (".html", ".htm"):
        text = html.unescape(_TAG.sub("", text))
    return text[:_MOST]


class Windows:
    """Feature buckets of many windows, one after the other."""

    def __init__(self) -> None:
        self._buckets: list[np.ndarray] = []
        self.labels: list[int] = []

    def add(self, text: str, label: int) -> None:
        """Add one window."""
        buckets, _ = features(text, HASHING)
        self._buckets.append(buckets.astype(np.int32))
        self.labels.append(label)

    def __len__(self) -> int:
        return len(self.labels)

    def packed(self) -> tuple[np.ndarray, np.ndarray]:
        """All buckets, and where each window begins among them."""
        sizes = [len(one) for one in self._buckets]
        return np.concatenate(self._buckets), np.concatenate([[0], np.cumsum(sizes)])


def embedded(attack: str, benign: str, rng: random.Random) -> str:
    """A window that holds `attack` somewhere in `benign`; alone in a quarter of the cases."""
    if rng.random() < 0.25 or len(attack) >= WINDOW - 20:
        return attack[:WINDOW]
    room = WINDOW - len(attack)
    before = rng.randrange(room + 1)
    cut = rng.randrange(max(len(benign) - room, 0) + 1)
    left, right = benign[cut : cut + before], benign[cut + before : cut + room]
    return left + rng.choice(_GLUE) + attack + rng.choice(_GLUE) + right


def attack_windows(
    rows: Sequence[Row], risk: Callable[[list[str]], Any]
) -> list[tuple[str, float]]:
    """The parts of attacks that make a window of it one, with weights: short attacks whole, of
    long ones the windows that the encoder flags by themselves."""
    found: list[tuple[str, float]] = []
    for row in rows:
        text = row.text
        if len(text) <= WINDOW - 20:
            found.append((text, 1.0))
            continue
        starts = range(0, min(len(text), 4500) - WINDOW // 2, WINDOW // 2)
        parts = [text[start : start + WINDOW] for start in starts]
        risks = risk(parts)
        found += [(part, 0.5) for part, value in zip(parts, risks, strict=True) if value >= 0.5]
    return found


def benign_parts(docs: Sequence[Document], count: int, rng: random.Random) -> Iterator[str]:
    """`count` windows; every kind of document gives about as many."""
    kinds: dict[str, list[Document]] = {}
    for doc in docs:
        kinds.setdefault(doc.kind, []).append(doc)
    for _ in range(count):
        doc = rng.choice(kinds[rng.choice(sorted(kinds))])
        start = rng.randrange(max(len(doc.text) - WINDOW, 0) + 1)
        yield doc.text[start : start + WINDOW]


def descend(windows: Windows, plan: Plan) -> tuple[np.ndarray, float]:
    """Weights by bucket and bias of least weighted cross entropy, by AdaGrad."""
    rng = np.random.default_rng(SEED)
    buckets, edges = windows.packed()
    labels = np.array(windows.labels, dtype=np.float32)
    size = 1 << HASHING.bits
    table, seen = np.zeros(size, dtype=np.float32), np.full(size, 1e-3, dtype=np.float32)
    # The prior is fixed: a window without any feature that it knows is benign.
    bias = -6.0
    for epoch in range(plan.epochs):
        rate = plan.lr * (1 - epoch / plan.epochs) * 4
        order = rng.permutation(len(labels))
        for start in range(0, len(order), plan.batch):
            chosen = order[start : start + plan.batch]
            sizes = edges[chosen + 1] - edges[chosen]
            owners = np.repeat(np.arange(len(chosen)), sizes)
            firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
            places = (
                np.arange(len(owners)) - np.repeat(firsts, sizes) + np.repeat(edges[chosen], sizes)
            )
            columns = buckets[places]
            kept = rng.random(len(columns), dtype=np.float32) >= plan.hidden
            columns, owners = columns[kept], owners[kept]
            sums = np.bincount(owners, weights=table[columns], minlength=len(chosen))
            margins = sums / (1 - plan.hidden) + bias
            slopes = 1 / (1 + np.exp(-margins)) - labels[chosen]
            gradient = np.bincount(columns, weights=slopes[owners], minlength=size) / len(chosen)
            gradient = (gradient + plan.decay * table * len(chosen)).astype(np.float32)
            seen += gradient**2
            table -= rate * gradient / np.sqrt(seen)
            # Words that only soothe would let an attacker buy back what an attack costs.
            np.maximum(table, -0.15, out=table)
    return table, bias


def quantized(table: np.ndarray, bias: float) -> Guard:
    """The table as int8; the few largest weights are clipped."""
    limit = float(np.quantile(np.abs(table[table != 0]), 0.9995))
    scale = limit / 127
    packed = np.clip(np.rint(table / scale), -127, 127).astype(np.int8)
    return Guard(hashing=HASHING, table=packed, scale=scale, bias=bias)


def mine(guard: Guard, docs: Sequence[Document], count: int) -> list[str]:
    """The most suspicious benign windows, at most a few of one document."""
    found: list[tuple[float, str]] = []
    for doc in docs:
        starts, odds = guard.profile(doc.text).windows(WINDOW, WINDOW // 2)
        for index in np.argsort(odds)[::-1][:12]:
            start = int(starts[index])
            found.append((float(odds[index]), doc.text[start : start + WINDOW]))
    found.sort(reverse=True)
    return [text for _, text in found[:count]]


def fit(
    attacks: Sequence[Row],
    docs: Sequence[Document],
    lookalikes: Sequence[Row],
    risk: Callable[[list[str]], Any],
    log: Log,
    plan: Plan = PLAN,
) -> Guard:
    """Fit on train documents and on attacks and look-alikes of train."""
    rng = random.Random(SEED)
    windows = Windows()
    parts = attack_windows(attacks, risk)
    log(f"{len(attacks)} attacks, {len(parts)} parts")
    backgrounds = list(benign_parts(docs, 4000, rng))
    for text, _ in parts:
        for _ in range(4):
            windows.add(embedded(text, rng.choice(backgrounds), rng), 1)
    for row in lookalikes:
        windows.add(row.text[:WINDOW], 0)
        windows.add(embedded(row.text, rng.choice(backgrounds), rng), 0)
    for text in benign_parts(docs, plan.benign, rng):
        windows.add(text, 0)
    log(f"{len(windows)} windows, {sum(windows.labels)} of attacks")
    for number in range(plan.rounds + 1):
        guard = quantized(*descend(windows, plan))
        log(f"round {number}: {guard!r}")
        if number < plan.rounds:
            hard = mine(guard, docs, plan.mined)
            for text in hard:
                windows.add(text, 0)
            log(f"  {len(hard)} hard benign windows")
    return guard
