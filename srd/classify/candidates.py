"""Where a long text might name somebody: capitals inside sentences, pairs of them, digits.

Why this file exists: the rules of pii_rules.py read all of a text, the encoder only some of it;
this says which. Pure numpy, linear; it must not know models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from srd.classify.normal import points

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

#: Upper-case letters: Latin, Greek, Cyrillic.
_CAPITALS = ((0x41, 0x5A), (0xC0, 0xDE), (0x391, 0x3A9), (0x410, 0x42F))
#: Two capitalised words side by side, one inside a sentence, one that begins it, three digits.
_PAIR, _INSIDE, _FIRST, _DIGITS = 4, 2, 1, 1
_ENDINGS = np.array([ord(char) for char in ".!?:;\n\r>*#-|"], dtype=np.uint32)


def weights(text: str) -> npt.NDArray[np.int32]:
    """sums[i]: how much of what might be personal data begins before character i."""
    found = points(text)
    sums = np.zeros(len(found) + 1, dtype=np.int32)
    if len(found) < 2:
        return sums
    values = np.zeros(len(found), dtype=np.int32)
    capital, letter, digit = _kinds(found)
    starts = capital.copy()
    starts[1:] &= ~letter[:-1]
    starts[:-1] &= letter[1:] & ~capital[1:]
    starts[-1] = False
    places = np.flatnonzero(starts)
    values[places] = np.where(_inside(found, places), _INSIDE, _FIRST)
    values[places[_follows(found, letter, places)]] = _PAIR
    run = digit[2:] & digit[1:-1] & digit[:-2]
    values[:-2] += _DIGITS * (run & ~np.concatenate([[False], digit[:-3]]))
    np.cumsum(values, out=sums[1:])
    return sums


def _kinds(found: npt.NDArray[Any]) -> tuple[Mask, Mask, Mask]:
    capital = np.zeros(len(found), dtype=np.bool_)
    for first, last in _CAPITALS:
        if first < 256 or found.dtype != np.uint8:
            capital |= (found >= first) & (found <= min(last, np.iinfo(found.dtype).max))
    lower = found | 0x20
    letter = ((lower >= ord("a")) & (lower <= ord("z"))) | (found >= 0xC0)
    digit = (found >= ord("0")) & (found <= ord("9"))
    return capital, letter, digit


def _inside(found: npt.NDArray[Any], places: npt.NDArray[np.intp]) -> Mask:
    """Which words stand inside a sentence: a blank before them, and no ending before that."""
    blank = found[places - 1] == ord(" ")
    result: Mask = blank & (places > 1) & ~np.isin(found[places - 2], _ENDINGS)
    return result


def _follows(
    found: npt.NDArray[Any], letter: Mask, places: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Indices of the words that stand right behind another one of them."""
    if len(places) < 2:
        return np.empty(0, dtype=np.intp)
    # The letters between two words, if one of them begins at each place, end before one blank.
    inner = np.concatenate([[0], np.cumsum(~letter)])
    gaps = inner[places[1:]] - inner[places[:-1]]
    near = (gaps == 1) & (found[places[1:] - 1] == ord(" "))
    result: npt.NDArray[np.intp] = np.flatnonzero(near) + 1
    return result
