"""The manifest of our own model folder, as values.

Why this file exists: training writes `manifest.json` (models/README.md describes it), serving
reads it here and nowhere else. It must not know sessions or tokenizers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from srd.classify.api import ModelError
from srd.classify.locate import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path


class EncoderEntry(msgspec.Struct, frozen=True):
    """The graph: its file, its inputs, the output of each head.

    `pieces` gives the tokens per piece of a head that reads all of a long text. A head without
    an entry shares the ask's one row while the whole text fits it, and is cut at 384 beyond.
    """

    file: str
    outputs: dict[str, str]
    inputs: list[str] = []
    max_tokens: int = 512
    pieces: dict[str, int] = {}


class Combine(msgspec.Struct, frozen=True):
    """The linear stage's weight in the log-linear mixture with the encoder; 0 is none.

    `by_density` holds [characters per word piece, weight], rising: a text of which the tokenizer
    makes many short pieces is in a language that the encoder does not read. Between two entries
    the weight is interpolated, outside the nearest one holds. `weight` is for no entries.
    """

    weight: float = 0.0
    by_density: list[tuple[float, float]] = []

    def at(self, density: float) -> float:
        """Return the weight for a text with `density` characters per word piece."""
        before: tuple[float, float] | None = None
        for point in self.by_density:
            if density < point[0]:
                return point[1] if before is None else _between(before, point, density)
            before = point
        return self.weight if before is None else before[1]


def _between(low: tuple[float, float], high: tuple[float, float], place: float) -> float:
    share = (place - low[0]) / (high[0] - low[0])
    return low[1] + share * (high[1] - low[1])


class DomainCalibration(msgspec.Struct, frozen=True):
    """Temperatures: of the encoder (or mixture) by window in tokens, and of the linear stage."""

    encoder: dict[str, float] = {}
    linear: float = 1.0

    def temperature(self, window: int) -> float:
        """The entry of the smallest window that is not below `window`, else of the largest."""
        by_window = sorted((int(name), value) for name, value in self.encoder.items())
        for size, value in by_window:
            if size >= window:
                return value
        return by_window[-1][1] if by_window else 1.0


class RiskCalibration(msgspec.Struct, frozen=True):
    """risk = softmax((logits + bias on the positive labels) / temperature)."""

    temperature: float = 1.0
    bias: float = 0.0


class Calibration(msgspec.Struct, frozen=True):
    """How logits become probabilities that mean what they say."""

    domain: DomainCalibration = DomainCalibration()
    jailbreak: RiskCalibration = RiskCalibration()


class FirstStage(msgspec.Struct, frozen=True):
    """The linear stage answers alone when its top probability reaches `confidence`.

    Not for texts of more than `max_chars` characters: most words of a long text are not the
    question's, and there the encoder is worth its time. Keep it below six times the smallest
    window: what fills that may be the beginning of anything, and results are kept by what was read.
    """

    file: str
    confidence: float
    max_chars: int | None = None


class GuardEntry(msgspec.Struct, frozen=True):
    """The guard (guard.py): the encoder reads windows from `suspicion` log-odds on.

    `caution` is taken from the log-odds of a suspected window for each tenfold of windows that its
    text has: among thousands of windows the worst is bad by chance. From `sure` log-odds of the
    guard on the encoder's own judgement counts too. `ceiling` is the most that a text is suspected
    of whose windows no encoder has read, unless the guard needs no encoder: from `certain` log-odds
    on its own judgement counts. A text of one window that is under `least` log-odds is not believed
    to be worse than `ceiling`, whatever the encoder says: it has not learned snippets of code.
    """

    file: str
    suspicion: float
    least: float = -4.0
    caution: float = 0.0
    sure: float = 4.0
    ceiling: float = 0.3
    certain: float = 3.0


class Manifest(msgspec.Struct, frozen=True):
    """Everything that serving needs to know about a model folder of ours."""

    labels: dict[str, list[str]]
    encoder: EncoderEntry
    version: str = ""
    combine: dict[str, Combine] = {}
    calibration: Calibration = Calibration()
    first_stage: FirstStage | None = None
    guard: GuardEntry | None = None
    thresholds: dict[str, float] = {}


def read_manifest(folder: Path) -> Manifest:
    """Read `folder`/manifest.json; raises ModelError with the file and the place in it."""
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}.") from error
    except msgspec.MsgspecError as error:
        raise ModelError(f"{path}: {error}.") from error
    for head in manifest.encoder.outputs:
        if head != "embedding" and not manifest.labels.get(head):
            raise ModelError(f"{path}: the head {head!r} has an output but no labels.")
    for head, combine in manifest.combine.items():
        places = [place for place, _ in combine.by_density]
        if places != sorted(set(places)):
            raise ModelError(f"{path}: combine.{head}.by_density does not rise: {places}.")
        weights = [combine.weight, *(weight for _, weight in combine.by_density)]
        if not all(0.0 <= weight <= 1.0 for weight in weights):
            raise ModelError(f"{path}: combine.{head}: weights are from 0 to 1, not {weights}.")
    return manifest
