"""The classifier that the router holds: cache, first stage, queue, encoder; or none at all.

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

from srd.classify.api import CHARS_PER_TOKEN, Ask, ClassifierUnavailable, Scores, Statistics
from srd.classify.cache import LruCache, text_key
from srd.classify.encoder import FULL_HEADS, FULL_TOKENS
from srd.classify.executor import Batching, Executor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srd.classify.first_stage import FirstStage
    from srd.classify.scorer import Scorer

_DOMAIN = frozenset({"domain"})
_EMBEDDING = frozenset({"embedding"})
_Key = tuple[bytes, frozenset[str], int]


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
        batching: Batching | None = None,
        thresholds: Mapping[str, float] = MappingProxyType({}),
        version: str = "",
    ) -> None:
        """Start the workers. `close` stops them."""
        self._scorer = scorer
        self._first_stage = first_stage
        self._cache: LruCache[Scores] = LruCache(cache_entries)
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
            f"{self._first_stage!r}, {self._cache!r}, {self._executor!r}>"
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
        """Cache, then (domain alone, and sure enough) the first stage; on the caller's thread."""
        if (known := self._cache.get(_key(ask))) is not None:
            return known
        if self._first_stage is None or ask.heads != _DOMAIN:
            return None
        domain = self._first_stage.answer(ask.text, ask.window)
        if domain is None:
            return None
        with self._lock:
            self._counts["first_stage"] += 1
        return Scores(domain=domain, window=ask.window, stage="linear")

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
        """Worker threads: what another worker has answered meanwhile is not computed again."""
        known = [self._cache.peek(_key(ask)) for ask in asks]
        open_asks = [ask for ask, scores in zip(asks, known, strict=True) if scores is None]
        fresh = iter(self._scorer.score(open_asks))
        results: list[Scores] = []
        for ask, scores in zip(asks, known, strict=True):
            if scores is None:
                scores = next(fresh)
                self._cache.put(_key(ask), replace(scores, stage="cache"))
                with self._lock:
                    self._counts["tokens"] += scores.tokens
                    self._counts["truncated"] += scores.truncated
            results.append(scores)
        return results

    def statistics(self) -> Statistics:
        """Counts of queue, encoder, first stage and cache, at one moment each."""
        with self._lock:
            counts = self._counts.copy()
        return replace(
            self._executor.statistics(),
            cache_hits=self._cache.hits,
            cache_misses=self._cache.misses,
            cache_entries=len(self._cache),
            first_stage=counts["first_stage"],
            tokens=counts["tokens"],
            truncated=counts["truncated"],
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
    """About how many tokens an ask reads: four characters each, within its bounds."""
    characters = min(len(ask.text), ask.window * CHARS_PER_TOKEN)
    if ask.heads & FULL_HEADS:
        characters = min(len(ask.text), FULL_TOKENS * CHARS_PER_TOKEN)
    return characters // 4


def _key(ask: Ask) -> _Key:
    """What the answer depends on: the characters that may be read, the heads, the window."""
    text = ask.text if ask.heads & FULL_HEADS else ask.text[: ask.window * CHARS_PER_TOKEN]
    return text_key(text), ask.heads, ask.window
