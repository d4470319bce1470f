"""Values by key, the least recently used forgotten first, and the keys of texts.

Why this file exists: the same text comes again (retries, templates, the next turn), and a forward
costs a thousand times a look-up. It must not know what is stored, and it never holds a text.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

V = TypeVar("V")


#: Drawn anew by every process: without it nobody can tell from a digest that a text was seen.
_SECRET = secrets.token_bytes(32)


def text_key(text: str) -> bytes:
    """A 16-byte digest of a text, keyed: neither collisions nor look-ups can be crafted."""
    data = text.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=16, key=_SECRET).digest()


class LruCache(Generic[V]):
    """At most `capacity` entries; 0 keeps nothing. Thread-safe, every operation O(1)."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.hits = 0
        self.misses = 0
        self._entries: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<LruCache {len(self)}/{self.capacity}, {self.hits} hits, {self.misses} misses>"

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> V | None:
        """The value, made the most recent; None and a miss counted otherwise."""
        with self._lock:
            value = self._entries.get(key)
            if value is None:
                self.misses += 1
                return None
            self._entries.move_to_end(key)
            self.hits += 1
            return value

    def peek(self, key: Hashable) -> V | None:
        """The value or None, without counting or reordering."""
        with self._lock:
            return self._entries.get(key)

    def put(self, key: Hashable, value: V) -> None:
        """Remember `value`; forget the least recently used beyond the capacity."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self.capacity:
                self._entries.popitem(last=False)
