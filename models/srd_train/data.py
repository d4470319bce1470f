"""Reads the public data and our own, removes duplicates, and splits by near-duplicate cluster.

Why this file exists: every figure that we report stands or falls with the split. Rows that share
half of their word 5-grams form one cluster, and a cluster lies in one split as a whole:

* train: what the weights see;
* dev: what choices and calibration see (epochs, temperatures, thresholds, the mixing weight);
* test: what is reported, and nothing else.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .common import DOMAINS, OWN_DATA, PII_TYPES, read_jsonl, unit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SPLITS = ("train", "dev", "test")
#: The public span sets use an older vocabulary.
PII_RENAMED = {"ADDRESS": "STREET_ADDRESS", "LOCATION": "GPE", "PREFIX": "TITLE"}
#: One MMLU-Pro fold of six is held back: two fifths of it for dev, the rest for test.
MMLU_PRO_HELD_FOLD = 5
_WORD = re.compile(r"\w+")


@dataclass(slots=True)
class Row:
    """One text with whatever is known of it. `group` keeps rows of one template together."""

    text: str
    source: str
    domain: str | None = None
    jailbreak: int | None = None
    spans: tuple[tuple[int, int, str], ...] | None = None
    fine: str | None = None
    lang: str = "English"
    group: str | None = None
    split: str = "train"
    held: str | None = None
    weight: float = 1.0
    meta: dict[str, object] = field(default_factory=dict)


def load_domain(data: Path) -> list[Row]:
    """Read every row that carries a domain label."""
    rows = []
    for raw in read_jsonl(data / "domain_mmlu_pro.jsonl.gz"):
        held = "held" if raw["fold"] == MMLU_PRO_HELD_FOLD else "train"
        row = Row(raw["text"], "mmlu-pro", raw["label"], fine=raw["src"], held=held)
        row.meta["options"] = raw["options"]
        rows.append(row)
    for name in ("domain_en", "domain_multilingual"):
        for raw in read_jsonl(data / f"{name}.jsonl.gz"):
            lang = raw.get("lang", "English")
            rows.append(Row(raw["text"], raw["source"], raw["label"], lang=lang))
    rows += _own("domain")
    for row in rows:
        if row.domain not in DOMAINS:
            raise ValueError(f"unknown domain {row.domain!r} from {row.source}")
    return rows


def load_jailbreak(data: Path) -> list[Row]:
    """Read every row that carries a jailbreak label."""
    rows = [
        Row(raw["text"], raw["source"], jailbreak=int(raw["label"] == "jailbreak"))
        for raw in read_jsonl(data / "jailbreak.jsonl.gz")
    ]
    return rows + _own("jailbreak")


def load_pii(data: Path) -> list[Row]:
    """Read every row that carries spans, in our vocabulary; overlapping spans keep the longer."""
    rows = []
    for raw in read_jsonl(data / "pii_spans.jsonl.gz"):
        spans = [
            (s["start"], s["end"], PII_RENAMED.get(s["label"], s["label"])) for s in raw["spans"]
        ]
        rows.append(Row(raw["text"], raw["source"], spans=_disjoint(spans)))
    return rows + _own("pii")


def _own(kind: str) -> list[Row]:
    rows = []
    for path in sorted(OWN_DATA.glob(f"{kind}*.jsonl*")):
        for raw in read_jsonl(path):
            spans = raw.get("spans")
            rows.append(
                Row(
                    raw["text"],
                    raw.get("source", f"own-{path.name.split('.')[0]}"),
                    domain=raw.get("domain"),
                    jailbreak=raw.get("jailbreak"),
                    spans=None if spans is None else tuple((s[0], s[1], s[2]) for s in spans),
                    lang=raw.get("lang", "English"),
                    group=raw.get("group"),
                    held=raw.get("split"),
                )
            )
    return rows


def _disjoint(spans: list[tuple[int, int, str]]) -> tuple[tuple[int, int, str], ...]:
    kept: list[tuple[int, int, str]] = []
    for start, end, label in sorted(spans, key=lambda s: s[0] - s[1]):
        known = label in PII_TYPES
        if known and all(end <= other[0] or start >= other[1] for other in kept):
            kept.append((start, end, label))
    return tuple(sorted(kept))


class _Sets:
    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, item: int) -> int:
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, a: int, b: int) -> None:
        self._parent[self.find(a)] = self.find(b)


def _shingles(text: str) -> set[int]:
    words = _WORD.findall(text.lower())
    if len(words) < 5:
        return {hash(" ".join(words))}
    return {hash(" ".join(words[i : i + 5])) for i in range(len(words) - 4)}


def clusters(rows: list[Row]) -> list[int]:
    """Return a cluster number per row: rows that share half of their word 5-grams, or a group."""
    sets = _Sets(len(rows))
    grams = [_shingles(row.text) for row in rows]
    places: dict[int, list[int]] = defaultdict(list)
    for index, row_grams in enumerate(grams):
        for gram in row_grams:
            places[gram].append(index)
    shared: Counter[tuple[int, int]] = Counter()
    for holders in places.values():
        # A gram in very many rows is a phrase ("which of the following is"), not a duplicate.
        if 1 < len(holders) <= 60:
            shared.update((a, b) for i, a in enumerate(holders) for b in holders[i + 1 :])
    for (a, b), count in shared.items():
        if count * 2 >= min(len(grams[a]), len(grams[b])):
            sets.join(a, b)
    first: dict[str, int] = {}
    for index, row in enumerate(rows):
        if row.group is not None:
            sets.join(index, first.setdefault(row.group, index))
    return [sets.find(index) for index in range(len(rows))]


def split(rows: list[Row], *, dev: float = 0.05, test: float = 0.05) -> list[Row]:
    """Drop exact duplicates and set `split` on every row. Deterministic in the texts."""
    seen: dict[str, Row] = {}
    for row in rows:
        seen.setdefault(_plain(row.text), row)
    unique = list(seen.values())
    members: dict[int, list[Row]] = defaultdict(list)
    for row, cluster in zip(unique, clusters(unique), strict=True):
        members[cluster].append(row)
    for group in members.values():
        chosen = _choose(group, dev, test)
        for row in group:
            row.split = chosen
    return unique


def _choose(group: list[Row], dev: float, test: float) -> str:
    where = unit(min(row.group or row.text for row in group))
    wishes = {row.held for row in group}
    if "test" in wishes:
        return "test"
    if "dev" in wishes:
        return "dev"
    if "held" in wishes:
        return "dev" if where < 0.4 else "test"
    if "train" in wishes:
        return "train"
    if where < test:
        return "test"
    return "dev" if where < test + dev else "train"


def tasks(source: Path) -> dict[str, list[Row]]:
    """Return the split rows of every task. The thinner sets hold more back.

    The public benign texts are partly domain rows too. One that trains the domain head is not held
    back for another head: its text is known to the encoder.
    """
    result = {
        "domain": split(load_domain(source)),
        "jailbreak": split(load_jailbreak(source), dev=0.10, test=0.12),
        "pii": split(load_pii(source), dev=0.08, test=0.10),
    }
    known = {_plain(row.text) for row in part(result["domain"], "train")}
    for name in ("jailbreak", "pii"):
        result[name] = [
            row for row in result[name] if row.split == "train" or _plain(row.text) not in known
        ]
    return result


def _plain(text: str) -> str:
    """Return the words of a text, whatever their case and punctuation."""
    return " ".join(_WORD.findall(text.lower()))


def part(rows: Iterable[Row], name: str) -> list[Row]:
    """Return the rows of one split."""
    if name not in SPLITS:
        raise ValueError(f"no split {name!r}")
    return [row for row in rows if row.split == name]
