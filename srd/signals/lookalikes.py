"""Texts as they look: compatibility forms, invisible characters and look-alikes folded.

Why this file exists: a word in fullwidth letters, with a zero-width space inside or with a Cyrillic
o reads as the word itself, to a person and to a model; a keyword rule with `normalize: nfkc` reads
it so, too. It must not know what is searched for.

Folded are the letters of Cyrillic and Greek that Unicode's confusables.txt (UTS #39) gives a Latin
letter for and that the usual fonts draw alike.
"""

from __future__ import annotations

import functools
import sys
import unicodedata
from typing import TYPE_CHECKING

from srd.signals import arrays as np
from srd.signals.borders import codes, text_of

if TYPE_CHECKING:
    import numpy.typing as npt

#: NFKC makes up to 18 characters of one; no more than this is read of what it makes.
MOST_CHARS = 1 << 19
_PIECE = 1 << 14

#: Default_Ignorable_Code_Point of DerivedCoreProperties.txt.
_IGNORABLE = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
_LOOK = dict(
    zip(
        "АВЕЅІЈКМНОРСТУХаеѕіјорсухԁԛԝһҮүΑΒΕΖΗΙΚΜΝΟΡΤΥΧαινορυχ",
        "ABESIJKMHOPCTYXaesijopcyxdqwhYyABEZHIKMNOPTYXaivopux",
        strict=True,
    )
)


def normalized(text: str) -> str:
    """NFKC without default-ignorable code points; of that the first 2^19 characters."""
    if text.isascii():
        return text
    points = codes(text)
    seen = text_of(points[~_ignorable()[points]])
    if len(seen) <= _PIECE:
        return unicodedata.normalize("NFKC", seen)
    pieces, size, start = [], 0, 0
    while start < len(seen) and size < MOST_CHARS:
        end = seen.rfind(" ", start, start + _PIECE) + 1 or start + _PIECE  # composes with nothing
        pieces.append(unicodedata.normalize("NFKC", seen[start:end]))
        size, start = size + len(pieces[-1]), end
    return "".join(pieces)[:MOST_CHARS]


def folded(text: str) -> str:
    """A normalized text with look-alikes of Latin letters made these."""
    return text if text.isascii() else text_of(_looks()[codes(text)])


def stable(text: str) -> str:
    """The beginning of a text that means the same whatever follows: up to its last blank. In there
    no mark that is still to come composes with anything."""
    kept = text.rstrip()
    end = max(kept.rfind(" "), kept.rfind("\n")) + 1
    return text if len(kept) < len(text) else text[:end]


@functools.cache
def _ignorable() -> npt.NDArray[np.bool_]:
    flags = np.zeros(sys.maxunicode + 1, dtype=np.bool_)
    for first, last in _IGNORABLE:
        flags[first : last + 1] = True
    return flags


@functools.cache
def _looks() -> npt.NDArray[np.uint32]:
    looks = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    for char, latin in _LOOK.items():
        looks[ord(char)] = ord(latin)
    return looks
