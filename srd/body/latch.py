"""Holds back the brace that would make a document whole.

Why this file exists: a compressed body is known to be undamaged only behind its last byte, when its
document has long been inflated. Until then no backend may be able to read the document. This file
must not know compression, nor JSON beyond its closing brace.
"""

from __future__ import annotations

#: Space behind a brace that is held with it; what is more leaves before the brace.
LIMIT = 65536
_BLANKS = b" \t\r\n"


class Latch:
    """Bytes in, bytes out, but for a closing brace that only blanks have followed so far."""

    def __init__(self) -> None:
        self._kept = b""

    def __repr__(self) -> str:
        return f"<Latch held={self.held}>"

    @property
    def held(self) -> int:
        """Bytes held: a brace and at most LIMIT blanks, or nothing."""
        return len(self._kept)

    def feed(self, data: bytes) -> bytes:
        """What may leave; `data` itself where no brace is concerned."""
        solid = data.rstrip(_BLANKS)
        if not solid:
            if not self._kept:
                return data
            kept = self._kept + data
            self._kept, out = kept[: LIMIT + 1], kept[LIMIT + 1 :]
            return out
        if not solid.endswith(b"}"):
            kept, self._kept = self._kept, b""
            return kept + data if kept else data
        cut = len(solid) - 1
        out = self._kept + data[:cut]
        kept = data[cut:]
        self._kept = kept[: LIMIT + 1]
        return out + kept[LIMIT + 1 :]

    def release(self) -> bytes:
        """The end is verified: what was held."""
        kept, self._kept = self._kept, b""
        return kept
