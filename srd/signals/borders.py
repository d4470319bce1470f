r"""Where a word begins and ends, in any script, for patterns that only know ASCII.

Why this file exists: RE2's `\b` is ASCII, so "über", "неотложно" and "C++" have no borders there.
Here each character is touching (part of a word, so a keyword that ends beside it is part of a
longer word) or not; a text is written so that an ASCII character class can tell. It must not know
what is searched for, nor why.

Touching are letters, marks, decimal digits, `_` and the joiners (as `\w` of Unicode's UTS #18),
but for scripts that write no blanks between words (Han, kana, Hangul, Thai, Lao, Khmer, Burmese,
Tibetan and their kin): there nobody but a dictionary knows a border, so every place is one.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from srd.signals import arrays as np
from srd.signals.text import ASCII_WORD, CJK_CLASS, utf8

if TYPE_CHECKING:
    import numpy.typing as npt

    Codes = npt.NDArray[np.uint32]
    Flags = npt.NDArray[np.bool_]

#: Between a word and a character that is neither ASCII nor part of one.
_SEPARATOR = 0x1F
#: An ASCII character that no word holds, or an end of the text. Both consume what they match.
BEFORE = rb"(?:^|[\x00-/:-@\[-^`{-\x7f])"
BEHIND = rb"(?:[\x00-/:-@\[-^`{-\x7f]|$)"

#: Written without blanks, besides CJK: Thai, Lao, Tibetan, Burmese, Khmer, Tai Le, New Tai Lue,
#: Tai Tham, Balinese, Javanese, Tai Viet, halfwidth kana and Hangul.
_RUNNING_CLASS = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f"
    "\ua980-\ua9ff\uaa60-\uaadf\uff66-\uffdc"
)
_UNSPACED = re.compile(f"[{CJK_CLASS}{_RUNNING_CLASS}]")
_JOINERS = "\u200c\u200d"
_CATEGORIES = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "Pc"))
#: Where such characters are but for Han: the planes 0 and 1, and the variation selectors.
_PLANES = (range(0x20000), range(0xE0100, 0xE01F0))
_RANGE = re.compile("(.)(?:-(.))?", re.DOTALL)  # one or two ends in the inside of a class
_FIRST_TAIL = 64
_UNDERSCORE = ord("_")


def codes(text: str) -> Codes:
    """The code points of a text; lone surrogates are U+FFFD."""
    try:
        data = text.encode("utf-32-le")
    except UnicodeEncodeError:
        data = utf8(text).decode().encode("utf-32-le")
    return np.frombuffer(data, dtype="<u4")


def text_of(points: Codes) -> str:
    """The inverse of `codes`."""
    return points.astype("<u4").tobytes().decode("utf-32-le")


@functools.cache
def touching() -> Flags:
    """[code point] -> whether it is part of a word. Built once, in some 30 ms."""
    flags = np.zeros(sys.maxunicode + 1, dtype=np.bool_)
    for plane in _PLANES:
        kinds = map(unicodedata.category, map(chr, plane))
        flags[plane.start : plane.stop] = [kind in _CATEGORIES for kind in kinds]
    for joiner in _JOINERS:
        flags[ord(joiner)] = True
    return flags & ~_unspaced(CJK_CLASS) & ~_unspaced(_RUNNING_CLASS)


@functools.cache
def _unspaced(inside: str) -> Flags:
    flags = np.zeros(sys.maxunicode + 1, dtype=np.bool_)
    for first, last in _RANGE.findall(inside):
        flags[ord(first) : ord(last or first) + 1] = True
    return flags


def units(points: Codes) -> int:
    """How many words and CJK characters there are. A run of a script without blanks is one word."""
    words = (touching()[points] & (points != _UNDERSCORE)) | _unspaced(_RUNNING_CLASS)[points]
    starts = int(np.count_nonzero(words[1:] & ~words[:-1])) + int(words[:1].sum())
    return starts + int(np.count_nonzero(_unspaced(CJK_CLASS)[points]))


@dataclass(frozen=True, slots=True)
class Literal:
    """A keyword to be counted between borders; `_` is none of a word's characters here."""

    points: tuple[int, ...]
    before: bool  # it must not be touched there
    behind: bool

    @classmethod
    def of(cls, keyword: str) -> Self:
        """`keyword` is not empty; in lower case where case does not count."""
        borders = not is_unspaced(keyword)
        first, last = keyword[0], keyword[-1]
        return cls(
            tuple(map(ord, keyword)),
            borders and first != "_" and is_touching(first),
            borders and last != "_" and is_touching(last),
        )

    def count(self, points: Codes) -> int:
        """Occurrences that do not overlap, from the left. O(text) in numpy."""
        length = len(self.points)
        words = touching()[points] & (points != _UNDERSCORE)
        at = np.flatnonzero(points[: max(0, len(points) - length + 1)] == self.points[0])
        if self.before:
            at = at[(at == 0) | ~words[at - 1]]
        if self.behind:
            behind = at + length
            free = behind >= len(points)
            free[~free] = ~words[behind[~free]]
            at = at[free]
        for offset in range(length - 1, 0, -1):
            if not len(at):
                break
            at = at[points[at + offset] == self.points[offset]]
        if len(at) < 2 or int(np.diff(at).min()) >= length:
            return len(at)
        count, end = 0, 0
        for place in at.tolist():
            if place >= end:
                count, end = count + 1, place + length
        return count


def is_touching(char: str) -> bool:
    """True for a character that is part of a word."""
    return bool(touching()[ord(char)])


def is_unspaced(text: str) -> bool:
    """True for a text that holds a character of a script without blanks between words."""
    return _UNSPACED.search(text) is not None


def marked(text: str) -> bytes:
    """The text as UTF-8 in which words have ASCII borders, or none where they touch.

    Lone surrogates become U+FFFD. O(text).
    """
    if text.isascii():
        return text.encode()
    points = codes(text)
    words = touching()[points]
    foreign = (points >= 0x80) & ~words
    places = 1 + np.flatnonzero((words[:-1] & foreign[1:]) | (foreign[:-1] & words[1:]))
    if len(places):
        points = np.insert(points, places, _SEPARATOR)
    return text_of(points).encode()


def between_borders(keyword: str, quoted: bytes) -> bytes:
    """A pattern over `marked` texts: the keyword, not as a part of a longer word.

    `quoted` is the pattern of the marked keyword itself. An end that is no part of a word ("+" of
    "C++", "." of ".NET") has a border wherever it stands, and so has every end of a keyword with a
    character of a script without blanks (upstream: a Han one).
    """
    if not keyword or is_unspaced(keyword):
        return quoted
    before = BEFORE if is_touching(keyword[0]) else b""
    behind = BEHIND if is_touching(keyword[-1]) else b""
    return before + quoted + behind


def before_last_word(text: str) -> str:
    """The text without the word that it ends in.

    What a pattern without end assertions finds in there, it also finds in every continuation of the
    text: "think" at the edge may still become "thinking", and so may "дума" become "думай".
    """
    stripped = text.rstrip(ASCII_WORD)
    length = _FIRST_TAIL
    while stripped and not stripped[-1].isascii():
        tail = stripped[-length:]
        points = np.frombuffer(tail.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        others = np.flatnonzero(~touching()[points])
        if len(others):
            return stripped[: len(stripped) - len(tail) + int(others[-1]) + 1]
        if len(tail) == len(stripped):
            return ""
        length *= 4
    return stripped
