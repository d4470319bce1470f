"""Decisions remembered by the hash of the evidence they were made on.

Why this file exists: a chat client sends the same prefix each turn; remembering its decision keeps
the conversation on one model and saves the inference. It must not know what a key is made of (the
caller puts all evidence into it: see srd.exchange.deliberation), nor read a clock.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from srd.decide.decision import Basis

if TYPE_CHECKING:
    from srd.config.globals import Memo as MemoConfig
    from srd.decide.decision import Decision


@dataclass(frozen=True, slots=True)
class MemoStatistics:
    """Counts since the start; `entries` is now."""

    entries: int
    hits: int
    misses: int
    evicted: int
    expired: int


class Memo:
    """A bounded map, least recently used entry out first. Owned by one event loop.

    An entry lives `ttl_seconds` after its last use, so a conversation that goes on keeps its
    model. Every operation is O(1). `max_entries` 0 switches it off.
    """

    def __init__(self, *, max_entries: int = 65536, ttl_seconds: float = 3600.0) -> None:
        self._max = max_entries
        self._ttl = ttl_seconds
        self._entries: OrderedDict[bytes, tuple[float, Decision]] = OrderedDict()
        self._hits = self._misses = self._evicted = self._expired = 0

    @classmethod
    def configured(cls, config: MemoConfig) -> Memo | None:
        """The memo of `early_decision.memo`; None when it is switched off."""
        if not config.enabled:
            return None
        return cls(max_entries=config.max_entries, ttl_seconds=config.ttl_seconds)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Memo {len(self)}/{self._max} hits={self._hits} misses={self._misses}>"

    def recall(self, key: bytes, now: float) -> Decision | None:
        """The remembered decision with basis `memo`, or None. `now` is any steady seconds count."""
        entry = self._entries.get(key)
        if entry is not None and now - entry[0] > self._ttl:
            del self._entries[key]
            self._expired += 1
            entry = None
        if entry is None:
            self._misses += 1
            return None
        self._hits += 1
        self._entries[key] = (now, entry[1])
        self._entries.move_to_end(key)
        return entry[1]

    def knows(self, key: bytes, now: float) -> bool:
        """True when `recall` would find it. It keeps the entry alive as that does, but is neither a
        hit nor a miss: nothing is saved yet."""
        entry = self._entries.get(key)
        if entry is None or now - entry[0] > self._ttl:
            return False
        self._entries[key] = (now, entry[1])
        self._entries.move_to_end(key)
        return True

    def remember(self, key: bytes, decision: Decision, now: float) -> None:
        """Keep a decision, without what belonged to its one request: byte counts and inference."""
        if self._max <= 0:
            return
        kept = replace(
            decision,
            basis=Basis.MEMO,
            stage="",
            tokens_read=0,
            bytes_read=0,
            body_bytes=None,
            bytes_held=0,
        )
        self._entries[key] = (now, kept)
        self._entries.move_to_end(key)
        if len(self._entries) > self._max:
            self._entries.popitem(last=False)
            self._evicted += 1

    def statistics(self) -> MemoStatistics:
        """Counts for metrics and tests."""
        return MemoStatistics(
            entries=len(self._entries),
            hits=self._hits,
            misses=self._misses,
            evicted=self._evicted,
            expired=self._expired,
        )
