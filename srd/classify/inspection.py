"""Which stretches of a text the encoder reads for jailbreak and pii.

Why this file exists: what the backend will read has no bound, what an encoder reads must have one.
It must not know sessions, calibration or what logits mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from srd.classify.api import MOST_CHARS_PER_TOKEN
from srd.classify.encoder import Piece, moved
from srd.classify.tokens import Encoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from srd.classify.encoder import Encoder

#: What jailbreak and pii read at most of one ask. Upstream has no bound: one request may then cost
#: minutes of CPU.
MAX_INSPECT_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Stretch:
    """An encoded run of characters, and the pieces in which a head reads it. Offsets count
    characters of the segment."""

    encoded: Encoded
    pieces: Sequence[Piece]

    def rows(self) -> Iterator[tuple[Piece, tuple[int, ...]]]:
        """Each piece with its token ids."""
        for piece in self.pieces:
            yield piece, tuple(self.encoded.ids[piece.start : piece.end])


@dataclass(slots=True)
class Inspected:
    """What of one segment is read, by head. `unread`: characters that nothing sees. `final`: the
    same would be read of it alone."""

    stretches: dict[str, list[Stretch]] = field(default_factory=dict)
    unread: int = 0
    tokens: int = 0
    final: bool = True


@dataclass(frozen=True, slots=True)
class Inspector:
    """Chooses what is read. Immutable; thread-safe."""

    max_tokens: int = MAX_INSPECT_TOKENS

    def inspect(
        self, encoder: Encoder, segments: Sequence[str], heads: frozenset[str]
    ) -> list[Inspected]:
        """The stretches of each segment for `heads`, all of which are the encoder's."""
        left, results = self.max_tokens, []
        for text in segments:
            inspected = Inspected()
            encoded, inspected.unread = _ends(encoder, text, left, offsets="pii" in heads)
            inspected.tokens = sum(len(part.ids) for part in encoded)
            inspected.final = not inspected.unread or left == self.max_tokens
            left -= inspected.tokens
            for head in heads:
                inspected.stretches[head] = [
                    Stretch(part, encoder.cut(part, head)) for part in encoded
                ]
            results.append(inspected)
        return results


def _ends(encoder: Encoder, text: str, tokens: int, *, offsets: bool) -> tuple[list[Encoded], int]:
    """At most `tokens` of a text, three quarters of them from its beginning, the rest from its
    end; and how many characters lie between."""
    if tokens <= 0 and text:
        return [], len(text)
    encode = encoder.tokenizer.encode
    back = tokens // 4
    front = tokens - back
    room = (front * MOST_CHARS_PER_TOKEN, back * MOST_CHARS_PER_TOKEN)
    if len(text) <= sum(room):
        encoded = encode(text, offsets=offsets)
        if len(encoded.ids) <= tokens:
            return [encoded], 0
        encoded = encode(text, offsets=True)
        first, second = _part(encoded, 0, front), _part(encoded, len(encoded.ids) - back, None)
    else:
        start = len(text) - room[1]
        first = _part(encode(text[: room[0]], offsets=True), 0, front)
        whole = moved(encode(text[start:], offsets=True), start)
        second = _part(whole, max(len(whole.ids) - back, 0), None)
    parts = [part for part in (first, second) if part.ids]
    ends = first.offsets[-1][1] if first.ids else 0
    begins = second.offsets[0][0] if second.ids else len(text)
    return parts, max(begins - ends, 0)


def _part(encoded: Encoded, start: int, end: int | None) -> Encoded:
    part = slice(start, end)
    return Encoded(encoded.ids[part], encoded.offsets[part], encoded.words[part])
