"""Which stretches of a text the encoder reads for jailbreak and pii.

Why this file exists: what the backend will read has no bound, what an encoder reads must have one.
The guard looks at every window of every text; the encoder reads texts that fit one row, and of all
texts the windows that the guard suspects, the most suspicious first. It must not know sessions,
calibration or what logits mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from srd.classify.api import MOST_CHARS_PER_TOKEN
from srd.classify.candidates import weights
from srd.classify.encoder import Piece, moved
from srd.classify.known import known
from srd.classify.normal import readable
from srd.classify.tokens import Encoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from srd.classify.encoder import Encoder
    from srd.classify.guard import Guard, Profile

#: What encoders read at most of one ask for jailbreak and pii. Upstream has no bound: one request
#: may then cost minutes of CPU.
MAX_INSPECT_TOKENS = 8192
#: Of them, what may go to texts that fit one row and of which nothing is suspected.
CALM_TOKENS = 2048
#: What a text's own length allows for windows that are suspected: so many tokens, and so many more
#: for each hundred thousand characters. Windows from `LIKELY` log-odds on may take all there is.
BASE_TOKENS, TOKENS_PER_100K = 160, 110
LIKELY = 0.0
#: The log-odds of a suspected window that holds a well-known sentence, at least.
KNOWN = 6.0
#: From these log-odds on a window is read as it is too, not only its most suspicious sentence.
WIDE = 0.0
#: Characters of a window, and from one window to the next.
WINDOW, STEP = 300, 75
#: A text longer than this is not tried as one row: a token of prose has four characters or so.
ROW_CHARS = 4096
#: Windows of one text that are considered, by suspicion; more never fit the tokens.
_MOST_WINDOWS = 256
#: What a cell must hold for the encoder to look for personal data in it: two
#: capitalised words side by side or inside sentences, or four lesser signs.
_LEAST_CANDIDATES = 4
#: How far a window is moved to a word's border, and a tight one to a sentence's.
_WORD_REACH, _SENTENCE_REACH = 24, 80
#: Characters that a tight reading has at least, where the text has them.
_LEAST_READING = 100
#: What each character of a tight stretch must bring, in log-odds.
_DRIFT = 0.02


@dataclass(frozen=True, slots=True)
class Stretch:
    """An encoded run of characters, and the pieces in which a head reads it. Offsets count
    characters of the segment. `suspicion`: the guard's log-odds, None without a guard. `whole`: it
    is all of its segment.
    """

    encoded: Encoded
    pieces: Sequence[Piece]
    suspicion: float | None = None
    whole: bool = False

    def rows(self) -> Iterator[tuple[Piece, tuple[int, ...]]]:
        """Each piece with its token ids."""
        for piece in self.pieces:
            yield piece, tuple(self.encoded.ids[piece.start : piece.end])


@dataclass(slots=True)
class Inspected:
    """What of one segment is read, by head. `suspicion`: the highest log-odds of the guard among
    the windows that no encoder reads. `unread`: characters that nothing sees. `final`: the same
    would be read of it alone."""

    stretches: dict[str, list[Stretch]] = field(default_factory=dict)
    suspicion: float | None = None
    unread: int = 0
    tokens: int = 0
    windows: int = 0
    final: bool = True


@dataclass(frozen=True, slots=True)
class _Look:
    """Characters of a segment that an encoder might read."""

    segment: int
    encoded: Encoded
    suspicion: float
    whole: bool


@dataclass(frozen=True, slots=True)
class Inspector:
    """Chooses what is read. Immutable; thread-safe. `threshold`: the guard's log-odds from which
    on a window is read by the encoder."""

    max_tokens: int = MAX_INSPECT_TOKENS
    guard: Guard | None = None
    threshold: float = 0.0

    def inspect(
        self, encoder: Encoder, segments: Sequence[str], heads: frozenset[str]
    ) -> list[Inspected]:
        """The stretches of each segment for `heads`, all of which are the encoder's."""
        results = [Inspected({head: [] for head in heads}) for _ in segments]
        if self.guard is None:
            self._ends(encoder, segments, results)
            return results
        left = self.max_tokens
        if "jailbreak" in heads:
            share = left * 3 // 4 if "pii" in heads else left
            left -= self._suspects(self.guard, encoder, segments, results, share)
        if "pii" in heads:
            self._named(encoder, segments, results, left)
        return results

    def _ends(
        self, encoder: Encoder, segments: Sequence[str], results: Sequence[Inspected]
    ) -> None:
        """Without a guard: every piece up to the bound, the middle of a long text left out."""
        left = self.max_tokens
        for text, inspected in zip(segments, results, strict=True):
            heads = inspected.stretches
            encoded, inspected.unread = _ends(encoder, text, left, offsets="pii" in heads)
            inspected.tokens = sum(len(part.ids) for part in encoded)
            inspected.final = not inspected.unread or left == self.max_tokens
            left -= inspected.tokens
            for head in heads:
                heads[head] = [Stretch(part, encoder.cut(part, head)) for part in encoded]

    def _suspects(
        self,
        guard: Guard,
        encoder: Encoder,
        segments: Sequence[str],
        results: Sequence[Inspected],
        left: int,
    ) -> int:
        """Choose what jailbreak reads, within `left` tokens; returns how many it takes."""
        looks: list[_Look] = []
        for number, text in enumerate(segments):
            looks += self._looks(guard, encoder, number, readable(text), results[number])
        looks.sort(key=lambda look: (look.suspicion < self.threshold, -look.suspicion))
        calm, spent = CALM_TOKENS, 0
        for look in looks:
            inspected, count = results[look.segment], len(look.encoded.ids)
            suspected = look.suspicion >= self.threshold
            if spent + count > left or (not suspected and count > calm):
                inspected.final = False
                known = inspected.suspicion
                inspected.suspicion = max(
                    look.suspicion, look.suspicion if known is None else known
                )
                continue
            spent += count
            calm -= 0 if suspected else count
            inspected.tokens += count
            pieces = encoder.cut(look.encoded, "jailbreak")
            stretch = Stretch(look.encoded, pieces, look.suspicion, look.whole)
            inspected.stretches["jailbreak"].append(stretch)
        return spent

    def _named(
        self, encoder: Encoder, segments: Sequence[str], results: Sequence[Inspected], left: int
    ) -> None:
        """Choose what pii reads, within `left` tokens: short texts whole, of long ones the cells
        with most candidates."""
        cells: list[tuple[int, int, int]] = []
        for number, text in enumerate(segments):
            inspected = results[number]
            whole = self._row(encoder, text)
            if whole is None:
                cells += [(-value, number, start) for start, value in _cells(text)]
                continue
            shared = any(
                stretch.whole and stretch.encoded.ids == whole.ids
                for stretch in inspected.stretches.get("jailbreak", ())
            )
            count = 0 if shared else len(whole.ids)
            if count > left:
                inspected.final = False
                continue
            left -= count
            inspected.tokens += count
            inspected.stretches["pii"].append(Stretch(whole, encoder.cut(whole, "pii")))
        self._cells(encoder, segments, results, sorted(cells), left)

    def _cells(
        self,
        encoder: Encoder,
        segments: Sequence[str],
        results: Sequence[Inspected],
        cells: Sequence[tuple[int, int, int]],
        left: int,
    ) -> None:
        chosen: dict[int, list[int]] = {}
        for _, number, start in cells:
            text = segments[number][start : start + WINDOW]
            count = len(encoder.tokenizer.encode(text).ids) if left > 0 else 1
            if count > left:
                results[number].final, left = False, 0
                continue
            left -= count
            results[number].tokens += count
            chosen.setdefault(number, []).append(start)
        for number, starts in chosen.items():
            text = segments[number]
            for start, end in _runs(sorted(starts)):
                first, last = _border(text, start, -1), _border(text, min(end, len(text)), 1)
                encoded = moved(encoder.tokenizer.encode(text[first:last], offsets=True), first)
                stretch = Stretch(encoded, encoder.cut(encoded, "pii"))
                results[number].stretches["pii"].append(stretch)

    def _row(self, encoder: Encoder, text: str) -> Encoded | None:
        """The whole of a text that fits one row."""
        if len(text) > ROW_CHARS:
            return None
        encoded = encoder.tokenizer.encode(text, offsets=True)
        return encoded if len(encoded.ids) <= encoder.room else None

    def _looks(
        self, guard: Guard, encoder: Encoder, number: int, text: str, inspected: Inspected
    ) -> Iterator[_Look]:
        profile = guard.profile(text)
        starts, odds = profile.windows(WINDOW, STEP)
        inspected.windows = len(starts)
        highest = float(odds.max())
        if len(text) <= ROW_CHARS:
            encoded = encoder.tokenizer.encode(text)
            if len(encoded.ids) <= encoder.room:
                yield _Look(number, encoded, highest, whole=True)
                if len(text) <= WINDOW:
                    return
            else:
                inspected.suspicion = highest if highest < self.threshold else None
        elif highest < self.threshold:
            inspected.suspicion = highest
        allowed = BASE_TOKENS + len(text) * TOKENS_PER_100K // 100_000
        for start, end, value in _with_known(text, suspects(profile, self.threshold)):
            if allowed <= 0 and value < LIKELY:
                inspected.suspicion = value  # and what follows is less suspicious
                return
            for first, last in readings(text, profile, start, end, wide=value >= WIDE):
                encoded = encoder.tokenizer.encode(text[first:last])
                allowed -= len(encoded.ids)
                yield _Look(number, encoded, value, whole=False)


def _cells(text: str) -> Iterator[tuple[int, int]]:
    """The cells of a text that hold candidates of personal data: their starts, and how many."""
    sums = weights(text)
    starts = np.arange(0, len(text), WINDOW)
    counts = sums[np.minimum(starts + WINDOW, len(text))] - sums[starts]
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        if count >= _LEAST_CANDIDATES:
            yield start, count


def _runs(starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring cells as one run of characters."""
    first = last = starts[0]
    for start in starts[1:]:
        if start - last > WINDOW:
            yield first, last + WINDOW
            first = start
        last = start
    yield first, last + WINDOW


def suspects(profile: Profile, threshold: float) -> list[tuple[int, int, float]]:
    """The windows at or above `threshold`, most suspicious first; of two that share more than half
    of their characters the more suspicious one."""
    starts, odds = profile.windows(WINDOW, STEP)
    length = len(profile.sums) - 1
    order = np.argsort(-odds, kind="stable")
    order = order[: int((odds >= threshold).sum())]
    chosen: list[tuple[int, int, float]] = []
    taken: set[int] = set()
    for index in order.tolist():
        start = int(starts[index])
        cell = start // STEP
        if not taken.isdisjoint(range(cell - 1, cell + 2)):
            continue
        taken.add(cell)
        chosen.append((start, min(start + WINDOW, length), float(odds[index])))
        if len(chosen) == _MOST_WINDOWS:
            break
    return chosen


def _with_known(text: str, found: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """Suspects with those that hold a well-known sentence first."""
    raised = [
        (start, end, max(value, KNOWN) if known(text[max(start - STEP, 0) : end + STEP]) else value)
        for start, end, value in found
    ]
    return sorted(raised, key=lambda one: -one[2])


def readings(
    text: str, profile: Profile, start: int, end: int, *, wide: bool = True
) -> list[tuple[int, int]]:
    """How a suspected window is read: what is most suspicious about it alone, in whole sentences,
    and, if `wide`, the window as it is."""
    whole = (_border(text, start, -1), _border(text, end, 1))
    first, last = _sentence(
        text, *tightest(profile, max(start - STEP, 0), min(end + STEP, len(text)))
    )
    if last - first < _LEAST_READING:
        room = (_LEAST_READING - (last - first)) // 2
        first, last = _sentence(text, max(first - room, 0), min(last + room, len(text)))
    if last - first >= (whole[1] - whole[0]) * 9 // 10:
        return [whole]
    return [(first, last), whole] if wide else [(first, last)]


def tightest(profile: Profile, start: int, end: int) -> tuple[int, int]:
    """The run of characters within [start, end) that brings most suspicion beyond the drift."""
    steps = np.arange(end - start + 1) * (_DRIFT / profile.scale)
    heights = profile.sums[start : end + 1] - steps
    lows = np.minimum.accumulate(heights)
    last = int(np.argmax(heights - lows))
    first = int(np.argmin(heights[: last + 1]))
    return start + first, start + max(last, first + 1)


def _border(text: str, place: int, direction: int) -> int:
    """The nearest white space in a direction; `place` itself where there is none near."""
    for distance in range(_WORD_REACH):
        here = place + direction * distance
        if here <= 0 or here >= len(text):
            return min(max(here, 0), len(text))
        if text[here - 1 if direction < 0 else here].isspace():
            return here
    return place


def _sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """The run extended to the borders of its sentences or lines, where these are near."""
    before = text[max(start - _SENTENCE_REACH, 0) : start]
    cut = max(before.rfind(mark) for mark in ("\n", ". ", "! ", "? ", '"', ": "))
    first = start - len(before) + cut + 1 if cut >= 0 or start > len(before) else 0
    if cut < 0 and start > len(before):
        first = _border(text, start, -1)
    after = text[end : end + _SENTENCE_REACH]
    marks = [at for at in (after.find(mark) for mark in ("\n", ".", "!", "?", '"')) if at >= 0]
    if marks:
        return first, end + min(marks) + 1
    return first, len(text) if end + len(after) == len(text) else _border(text, end, 1)


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
