"""The classifier that the router holds: memory, first stage, queue, encoder; or none at all.

Why this file exists: it implements `api.Classifier` and decides which of the four answers an
ask. It must not know ONNX, tokenizers or files.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from srd.classify.api import TURN_WINDOW, Ask, ClassifierUnavailable, Scores, Statistics
from srd.classify.encoder import FULL_HEADS, PREFIX_HEADS
from srd.classify.executor import Batching, Executor
from srd.classify.inspection import MAX_INSPECT_TOKENS
from srd.classify.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srd.classify.first_stage import FirstStage
    from srd.classify.memory import Known
    from srd.classify.scorer import Scorer

_DOMAIN = frozenset({"domain"})
_EMBEDDING = frozenset({"embedding"})
#: The most characters of inspected texts that are hashed on the caller's thread: some .1 ms.
QUICK_CHARS = 65_536
#: For the order of the queue: characters that the guard reads while an encoder reads one token.
_SCANNED_PER_TOKEN = 256


class LocalClassifier:
    """Answers asks in this process. Implements `api.Classifier`; thread-safe.

    `thresholds` are the model's own (manifest), for rules that name none; `device` is what the
    sessions really run on, and `fallback` says why it is not what was hoped for.
    """

    def __init__(
        self,
        scorer: Scorer,
        *,
        threads: int,
        first_stage: FirstStage | None = None,
        queue_limit: int = 256,
        cache_entries: int = 4096,
        segment_entries: int = 16384,
        batching: Batching | None = None,
        thresholds: Mapping[str, float] = MappingProxyType({}),
        version: str = "",
    ) -> None:
        """Start the workers. `close` stops them."""
        self._scorer = scorer
        self._first_stage = first_stage
        self._memory = Memory(prefixes=cache_entries, segments=segment_entries)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self.thresholds = MappingProxyType(dict(thresholds))
        self.version = version
        domain = scorer.readers.domain
        self._labels = domain.labels if domain is not None else ()
        self._executor = Executor(
            self._answer, threads=threads, limit=queue_limit, batching=batching
        )

    def __repr__(self) -> str:
        return (
            f"<LocalClassifier {self.version or 'unversioned'} on {self.device}: {self._scorer!r}, "
            f"{self._first_stage!r}, {self._memory!r}, {self._executor!r}>"
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The domain labels, in the model's order; empty without a domain head."""
        return self._labels

    @property
    def heads(self) -> frozenset[str]:
        """The heads that can be asked for."""
        return self._scorer.heads

    @property
    def device(self) -> str:
        """What the encoders run on: "cuda" when all of them do, else "cpu"."""
        devices = {encoder.session.device for encoder in self._scorer.encoders}
        return "cuda" if devices == {"cuda"} else "cpu"

    @property
    def fallback(self) -> str:
        """Why an encoder runs on the CPU although `auto` found a CUDA build; "" otherwise."""
        notes = (encoder.session.fallback for encoder in self._scorer.encoders)
        return next(filter(None, notes), "")

    def quick(self, ask: Ask) -> Scores | None:
        """Memory and (domain alone, and sure enough) the first stage; on the caller's thread."""
        if _inspected_chars(ask) > QUICK_CHARS:
            return self._counted(None)
        known = self._memory.look(ask)
        if known.rest is None:
            whole = self._memory.whole(ask, known)
            return self._counted(self._by_first_stage(ask, whole), known.remembered)
        self._counted(None)
        if known.rest.turns or (domain := self._first(ask)) is None:
            return None
        turns = self._memory.turns(known)
        return Scores(domain=domain, turns=turns, window=ask.window, stage="linear")

    def _first(self, ask: Ask) -> Mapping[str, float] | None:
        """What the first stage says of an ask, where it may answer and is sure."""
        if self._first_stage is None or ask.heads != _DOMAIN:
            return None
        domain = self._first_stage.answer(ask.text)
        if domain is not None:
            with self._lock:
                self._counts["first_stage"] += 1
        return domain

    def _by_first_stage(self, ask: Ask, scores: Scores) -> Scores:
        """The scores as they are whether or not the encoder has read the text before: where the
        first stage is sure its word counts."""
        domain = self._first(ask)
        return scores if domain is None else replace(scores, domain=domain, stage="linear")

    def _counted(self, scores: Scores | None, texts: int = 0) -> Scores | None:
        with self._lock:
            self._counts["misses" if scores is None else "hits"] += 1
            self._counts["segments_known"] += texts
        return scores

    def submit(self, ask: Ask) -> Future[Scores]:
        """Queue one ask; see `api.Classifier`."""
        return self._executor.submit(ask, cost(ask))

    def embed(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """Embeddings on this thread, for start-up; ClassifierUnavailable without the head."""
        vectors: list[Sequence[float]] = []
        for text in texts:
            (scores,) = self._scorer.score([Ask(text=text, heads=_EMBEDDING)])
            assert scores.embedding is not None
            vectors.append(scores.embedding)
        return vectors

    def _answer(self, asks: Sequence[Ask]) -> list[Scores]:
        """Worker threads: what is known, or was answered meanwhile, is not computed again."""
        known = [self._memory.look(ask) for ask in asks]
        fresh = iter(self._scorer.answer([one.rest for one in known if one.rest is not None]))
        results: list[Scores] = []
        for ask, one in zip(asks, known, strict=True):
            if one.rest is None:
                results.append(self._by_first_stage(ask, self._memory.whole(ask, one)))
                self._count(one, Scores())
                continue
            answered = next(fresh)
            self._count(one, answered.scores, answered.inspection_tokens, answered.windows)
            learned = self._memory.learn(ask, one, answered.scores, answered.final)
            results.append(self._by_first_stage(ask, learned))
        return results

    def _count(self, known: Known, scores: Scores, inspected: int = 0, windows: int = 0) -> None:
        with self._lock:
            self._counts["tokens"] += scores.tokens
            self._counts["truncated"] += scores.truncated
            self._counts["inspection_tokens"] += inspected
            self._counts["windows"] += windows
            self._counts["segments_known"] += known.remembered

    def statistics(self) -> Statistics:
        """Counts of queue, encoder, first stage and cache, at one moment each."""
        with self._lock:
            counts = self._counts.copy()
        return replace(
            self._executor.statistics(),
            cache_hits=counts["hits"],
            cache_misses=counts["misses"],
            cache_entries=self._memory.entries,
            segment_entries=self._memory.segments,
            first_stage=counts["first_stage"],
            tokens=counts["tokens"],
            truncated=counts["truncated"],
            windows=counts["windows"],
            inspection_tokens=counts["inspection_tokens"],
            segments_known=counts["segments_known"],
        )

    def close(self) -> None:
        """Fail what waits and stop the workers. Idempotent."""
        self._executor.close()


class NullClassifier:
    """Implements `api.Classifier` for a configuration without learned signals.

    Loads nothing. An ask for no head has the empty answer; any other is unavailable.
    """

    labels: tuple[str, ...] = ()
    heads: frozenset[str] = frozenset()
    thresholds: Mapping[str, float] = MappingProxyType({})
    device = "none"
    fallback = ""
    version = ""

    def __repr__(self) -> str:
        return "<NullClassifier>"

    def quick(self, ask: Ask) -> Scores | None:
        """The empty answer to the empty question."""
        return None if ask.heads else Scores(window=ask.window, stage="linear")

    def submit(self, ask: Ask) -> Future[Scores]:
        """A future that has failed, or holds the empty answer."""
        future: Future[Scores] = Future()
        if (scores := self.quick(ask)) is not None:
            future.set_result(scores)
        else:
            future.set_exception(ClassifierUnavailable("no classifier is loaded"))
        return future

    def embed(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """Raises ClassifierUnavailable unless there is nothing to embed."""
        if texts:
            raise ClassifierUnavailable("no classifier is loaded")
        return []

    def statistics(self) -> Statistics:
        """Nothing has been counted."""
        return Statistics()

    def close(self) -> None:
        """Nothing to stop."""


def cost(ask: Ask) -> int:
    """About how many tokens of an encoder's time an ask takes: four characters each, within its
    bounds, and the guard's pass over what is inspected."""
    prefix = min(len(ask.text) // 4, ask.window) if ask.heads & PREFIX_HEADS else 0
    turns = sum(min(len(turn) // 4, TURN_WINDOW) for turn in ask.turns)
    chars = _inspected_chars(ask)
    full = min(chars // 4, MAX_INSPECT_TOKENS) + chars // _SCANNED_PER_TOKEN
    return max(prefix, full) + turns


def _inspected_chars(ask: Ask) -> int:
    if not ask.heads & FULL_HEADS:
        return 0
    return sum(map(len, ask.segments)) if ask.segments else len(ask.text)
