"""The one small interface between the router and any classifier.

Why this file exists: the exchange asks for scores and the driver fetches them; neither may know
about tokenizers, ONNX sessions or threads. This file imports nothing of srd.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from concurrent.futures import Future

#: Forward windows in tokens; an ask names one. The characters that a window may read are bounded
#: too, so that the text of an ask is a deterministic prefix, whatever the chunking was.
WINDOWS: tuple[int, ...] = (64, 128, 256, 512)
CHARS_PER_TOKEN = 6
#: What the classifier itself takes of a text for a window: no token that says something is longer,
#: and tokenizing stays bounded. The caller cuts texts by what they weigh.
MOST_CHARS_PER_TOKEN = 32
#: The tokens by which an earlier turn of a conversation is judged.
TURN_WINDOW = WINDOWS[0]


@dataclass(frozen=True, slots=True)
class PiiSpan:
    """An entity in the asked text: character offsets [start, end), upstream's type name."""

    start: int
    end: int
    label: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question: which heads, on which text, with how many tokens at most.

    domain and embedding read at most `window` tokens of `text`. jailbreak and pii read all of
    every segment, each by itself, and answer in `Scores.segments`; without segments they read all
    of `text` and answer in `Scores.jailbreak` and `Scores.pii`. Of each of `turns` the domain is
    wanted, by `TURN_WINDOW` tokens at most, whatever the heads are.
    """

    text: str
    heads: frozenset[str]
    window: int = 512
    turns: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    deadline: float | None = None  # time.monotonic(); a queued ask older than that is dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentScores:
    """What jailbreak and pii say of one segment; None where the head was not asked. `unread`:
    characters that no stage has seen (0 but for models that come without a guard)."""

    jailbreak: float | None = None
    pii: tuple[PiiSpan, ...] | None = None
    unread: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the classifier says of one text. A head that was not asked for is None."""

    domain: Mapping[str, float] | None = None  # label -> calibrated probability, all labels
    jailbreak: float | None = None  # risk: sum over the positive labels, max over pieces
    pii: tuple[PiiSpan, ...] | None = None
    embedding: Sequence[float] | None = None  # L2-normalised
    turns: tuple[Mapping[str, float], ...] = ()  # domain of each of the ask's turns
    segments: tuple[SegmentScores, ...] = ()  # one for each of the ask's segments
    tokens: int = 0  # tokens really read
    window: int = 0  # the window asked for
    stage: str = "encoder"  # "linear" (first stage), "encoder", "cache"
    truncated: bool = False  # jailbreak and pii did not see all of it: the text exceeds the bound
    #: The most probable domain label (of equals the first by name) and its probability: every
    #: domain rule asks for it, several times a request.
    top: tuple[str, float] | None = field(init=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.domain:
            highest = max(self.domain.values())
            label = min((name for name, p in self.domain.items() if p == highest), default="")
            object.__setattr__(self, "top", (label, highest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What a classifier has done, for metrics and the watchdog. Plain counts since its start.

    `queued` and `running` asks are now. A hung model shows as `running` > 0 while `runs` stands
    still. `batch_sizes` maps asks per run to runs.
    """

    queued: int = 0
    running: int = 0
    runs: int = 0  # forwards finished, failed ones too
    tokens: int = 0  # read by encoders
    rejected: int = 0  # the queue was full
    cancelled: int = 0  # while queued
    expired: int = 0  # past their deadline while queued
    failed: int = 0
    truncated: int = 0  # texts beyond the bound of jailbreak and pii
    first_stage: int = 0  # answers of the linear stage
    cache_hits: int = 0
    cache_misses: int = 0
    cache_entries: int = 0
    windows: int = 0  # of inspected texts, scanned by the guard
    inspection_tokens: int = 0  # of inspected texts, read by encoders
    segments_known: int = 0  # inspected texts that were remembered
    segment_entries: int = 0
    batch_sizes: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))


class ClassifierUnavailable(Exception):  # noqa: N818 - the name says what the router sees
    """Ours: the classifier raised, hung, or its queue is full. The router falls back."""


class ModelError(Exception):
    """The operator's, at start only: a model folder or the runtime cannot be used as configured."""


class Classifier(Protocol):
    """Answers asks. Thread-safe; `submit` never blocks and never raises."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The domain labels, in the model's order."""
        ...

    def quick(self, ask: Ask) -> Scores | None:
        """The answer of cache or first stage in microseconds, on the caller's thread; else None."""
        ...

    def submit(self, ask: Ask) -> Future[Scores]:
        """Queue one forward off the loop. The future fails with ClassifierUnavailable; cancelling
        it takes the ask out of the queue."""
        ...

    def embed(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """Embeddings, computed now on this thread; for start-up (prototypes), never per request."""
        ...

    def close(self) -> None: ...
