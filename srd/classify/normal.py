"""A text as its reader sees it: compatibility forms, look-alikes, invisible characters, spacing.

Why this file exists: an attack is read by a model that understands `i g n o r e` and full-width
letters, while a word-piece vocabulary does not. Pure; linear; bounded steps. It decodes nothing:
base64, rot13 and the like stay what they are.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Points = npt.NDArray[np.unsignedinteger[Any]]
    Mask = npt.NDArray[np.bool_]

#: Characters that Python itself handles at a time: no long hold of the interpreter's lock.
_CHUNK = 65_536
#: Single letters in a row from which on they are one word: "i g n o r e".
_SPELLED = 4
_SEPARATORS = np.array([ord(char) for char in " ._*-"], dtype=np.uint32)
#: Cyrillic and Greek letters that look like Latin ones (of Unicode's confusables, the small and
#: capital letters that fonts draw alike); only where a Latin letter stands in the same word.
_ALIKE = dict(
    zip(
        "АВЕЗКМНОРСТУХаеорсухіјѕԁһԛԝүѵΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανρικτυχ",
        "ABE3KMHOPCTYXaeopcyxijsdhqwyvABEZHIKMNOPTYXoavpiktux",
        strict=True,
    )
)
_GREEK, _CYRILLIC_END = 0x370, 0x530
#: Invisible: default-ignorable code points (Unicode, DerivedCoreProperties), but for those that
#: text needs in its place (none of them changes what a word piece is).
_IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip


class _Forms(dict[int, str]):
    """What each character is read as; filled as characters are met."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        if any(first <= point <= last for first, last in _IGNORABLE):
            # Tags (U+E0020 to U+E007E) spell ASCII that nobody sees and models read.
            value = chr(point - 0xE0000) if 0xE0020 <= point <= 0xE007E else ""
        else:
            value = unicodedata.normalize("NFKC", char)
        if point < 0x10000 or value != char:  # bounded: some 90,000 entries
            self[point] = value
        return value


_FORMS = _Forms()


def _alike_table() -> Points:
    table = np.arange(_CYRILLIC_END, dtype=np.uint32)
    for char, latin in _ALIKE.items():
        table[ord(char)] = ord(latin)
    return table


_ALIKE_TABLE = _alike_table()


def points(text: str) -> Points:
    """The code points of a text, lone surrogates too; in single bytes where it is ASCII."""
    if text.isascii():
        return np.frombuffer(text.encode(), dtype=np.uint8)
    encoded = [
        text[start : start + _CHUNK].encode("utf-32-le", "surrogatepass")
        for start in range(0, len(text), _CHUNK)
    ]
    return np.frombuffer(b"".join(encoded), dtype=np.uint32)


def readable(text: str) -> str:
    """`text` in the form in which it is inspected; most texts are in it already."""
    if not text.isascii():
        parts = [text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK)]
        text = "".join(part.translate(_FORMS) for part in parts)
    found = points(text)
    folded = found if text.isascii() else _latin(found)
    kept = _spelled(folded)
    if folded is found and kept is None:
        return text
    return _text(folded if kept is None else folded[kept])


def _text(found: Points) -> str:
    if found.dtype == np.uint8:
        return found.tobytes().decode("ascii")
    return "".join(
        found[start : start + _CHUNK].tobytes().decode("utf-32-le", "surrogatepass")
        for start in range(0, len(found), _CHUNK)
    )


def _is_letter(found: Points) -> Mask:
    """ASCII letters, and what is beyond ASCII; the few signs there do no harm here."""
    lower = found | 0x20
    return ((lower >= ord("a")) & (lower <= ord("z"))) | (found >= 0xC0)


def _latin(found: Points) -> Points:
    """Look-alikes replaced in words that hold a Latin letter too; `found` itself without any."""
    foreign = (found >= _GREEK) & (found < _CYRILLIC_END)
    if not foreign.any():
        return found
    letter = _is_letter(found)
    words = np.cumsum(~letter)  # letters of one word share a number
    with_latin = np.zeros(int(words[-1]) + 1, dtype=np.bool_)
    with_latin[words[letter & (found < 0x250)]] = True
    mixed = foreign & with_latin[words]
    if not mixed.any():
        return found
    result = found.copy()
    result[mixed] = _ALIKE_TABLE[found[mixed]]
    return result


def _spelled(found: Points) -> Mask | None:
    """Which characters stay when spelled words are joined; None: all of them."""
    if len(found) < 2 * _SPELLED - 1:
        return None
    letter = np.zeros(len(found) + 2, dtype=np.bool_)
    letter[1:-1] = _is_letter(found)
    single = np.flatnonzero(letter[1:-1] & ~letter[:-2] & ~letter[2:])
    if len(single) < _SPELLED:
        return None
    between = found[single[:-1] + 1]
    near = (np.diff(single) == 2) & np.isin(between, _SEPARATORS)
    # A run goes on while the separator stays the same.
    new = np.ones(len(near), dtype=np.bool_)
    new[1:] = ~near[:-1] | ~near[1:] | (between[1:] != between[:-1])
    runs = np.cumsum(new)
    lengths = np.bincount(runs[near], minlength=int(runs[-1]) + 1) if near.any() else None
    if lengths is None:
        return None
    joined = near & (lengths[runs] >= _SPELLED - 1)
    if not joined.any():
        return None
    kept = np.ones(len(found), dtype=np.bool_)
    kept[single[:-1][joined] + 1] = False
    return kept
