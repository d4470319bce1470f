"""Inspection of long texts: what is found where, what is flagged for nothing, and what it costs.

    python benchmarks/inspection.py --data DIR --benign DIR [DIR ...]

`--data` holds the public sets of models/README.md, of which the attacks of the test split are used;
`--benign` are folders of ordinary texts, each a kind of its own. The shipped model reads, as the
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

from srd_train import data, guard

from srd.classify.api import Ask
from srd.classify.factory import open_classifier

JAILBREAK = frozenset({"jailbreak"})
PLACES = ("start", "middle", "end", "anywhere")
GLUE = ("\n", "\n\n", " ", "", '"')
LENGTHS = (1_500, 10_000, 100_000, 1_000_000)


class Texts:
    """Benign texts of any length, of one kind each."""

    def __init__(self, folders: list[Path], rng: random.Random) -> None:
        self._rng = rng
        self._kinds: dict[str, list[str]] = defaultdict(list)
        for doc in guard.documents(folders, most=4_000_000):
            if doc.split == "test":
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
    parser.add_argument("--attacks", type=int, default=115)
    parser.add_argument("--texts", type=int, default=4, help="benign texts of each kind and length")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    options = parser.parse_args()
    rng = random.Random(7)
    classifier = open_classifier(heads=JAILBREAK, threads=1, segment_entries=0)
    threshold = classifier.thresholds["jailbreak"]
    texts = Texts(options.benign, rng)

    def risk(text: str) -> float:
        scores = classifier.submit(Ask(text="", heads=JAILBREAK, segments=(text,))).result()
        return scores.segments[0].jailbreak or 0.0

    rows = data.part(data.tasks(options.data)["jailbreak"], "test")
    attacks = [row.text for row in rows if row.jailbreak][: options.attacks]
    alone = sum(risk(attack) >= threshold for attack in attacks) / len(attacks)
    print(f"attacks alone: {alone:.3f} of {len(attacks)}\n")
    print("| characters | " + " | ".join(PLACES) + " |\n|---" * 1 + "|---" * len(PLACES) + "|")
    for length in options.lengths:
        shares = []
        for place in PLACES:
            found = [
                risk(placed(attack, texts.take(rng.choice(texts.kinds), length), place, rng))
                >= threshold
                for attack in attacks
            ]
            shares.append(f"{sum(found) / len(found):.3f}")
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
