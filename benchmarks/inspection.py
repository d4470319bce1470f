"""Inspection of long texts: what is found where, what is flagged for nothing, and what it costs.

    python benchmarks/inspection.py --data DIR --benign DIR [DIR ...] [--all]

`--data` holds the public sets of models/README.md, of which the attacks of the test split are used,
and the held-back phrases of models/data/seeds; `--benign` are folders of ordinary texts, each a
kind of its own, of which the test split is used, or, with `--all`, everything: for folders that no
training has seen. The shipped model reads, as the
router does. Times are of this process's CPU, so that a busy machine does not matter.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))

from srd_train import data, guard, phrases

from srd.classify.api import Ask
from srd.classify.factory import open_classifier

JAILBREAK = frozenset({"jailbreak"})
PLACES = ("start", "middle", "end", "anywhere")
GLUE = ("\n", "\n\n", " ", "", '"')
LENGTHS = (1_500, 10_000, 100_000, 1_000_000)


class Texts:
    """Benign texts of any length, of one kind each."""

    def __init__(self, folders: list[Path], rng: random.Random, *, every: bool) -> None:
        self._rng = rng
        self._kinds: dict[str, list[str]] = defaultdict(list)
        for doc in guard.documents(folders, most=4_000_000):
            if every or doc.split == "test":
                self._kinds[doc.kind].append(doc.text)

    @property
    def kinds(self) -> list[str]:
        """The kinds that have texts."""
        return sorted(self._kinds)

    def take(self, kind: str, length: int) -> str:
        """`length` characters, documents one after the other."""
        text = ""
        while len(text) < length:
            text += self._rng.choice(self._kinds[kind]) + "\n\n"
        start = self._rng.randrange(len(text) - length + 1)
        return text[start : start + length]


def placed(attack: str, text: str, place: str, rng: random.Random) -> str:
    """`attack` inside `text`."""
    spots = {"start": 0, "middle": len(text) // 2, "end": len(text)}
    at = spots.get(place, rng.randrange(len(text) + 1))
    return text[:at] + rng.choice(GLUE) + attack + rng.choice(GLUE) + text[at:]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--benign", type=Path, nargs="+", required=True)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--attacks", type=int, default=115)
    parser.add_argument("--most", type=int, default=40, help="attacks in texts beyond 50,000")
    parser.add_argument("--texts", type=int, default=4, help="benign texts of each kind and length")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    options = parser.parse_args()
    rng = random.Random(7)
    classifier = open_classifier(heads=JAILBREAK, threads=1, segment_entries=0)
    threshold = classifier.thresholds["jailbreak"]
    texts = Texts(options.benign, rng, every=options.all)

    def risk(text: str) -> float:
        scores = classifier.submit(Ask(text="", heads=JAILBREAK, segments=(text,))).result()
        return scores.segments[0].jailbreak or 0.0

    rows = data.part(data.tasks(options.data)["jailbreak"], "test")
    attacks = [row.text for row in rows if row.jailbreak][: options.attacks]
    for name, wanted in (("attacks", attacks), ("phrases", phrases.held())):
        alone = sum(risk(attack) >= threshold for attack in wanted) / len(wanted)
        print(f"\n{name} alone: {alone:.3f} of {len(wanted)}\n")
        print("| characters | " + " | ".join(PLACES) + " | all |\n|---" + "|---" * 5 + "|")
        for length in options.lengths:
            found: dict[str, list[bool]] = {place: [] for place in PLACES}
            for number, attack in enumerate(wanted[: options.most if length > 50_000 else None]):
                place = PLACES[number % len(PLACES)]
                text = placed(attack, texts.take(rng.choice(texts.kinds), length), place, rng)
                found[place].append(risk(text) >= threshold)
            shares = [f"{sum(one) / len(one):.2f}" for one in found.values()]
            every = [one for group in found.values() for one in group]
            shares.append(f"{sum(every) / len(every):.3f} of {len(every)}")
            print(f"| {length:,} | " + " | ".join(shares) + " |", flush=True)
    print("\n| kind | characters | flagged | ms per 100 KB |\n|---|---|---|---|")
    for kind in texts.kinds:
        for length in options.lengths:
            before = time.process_time()
            flagged = sum(risk(texts.take(kind, length)) >= threshold for _ in range(options.texts))
            spent = (time.process_time() - before) / options.texts / length * 1e8
            print(
                f"| {kind} | {length:,} | {flagged} of {options.texts} | {spent:.0f} |", flush=True
            )
    classifier.close()


if __name__ == "__main__":
    main()
