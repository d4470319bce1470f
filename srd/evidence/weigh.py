"""About how many word pieces a text is, without the tokenizer.

Why this file exists: what a model may read is counted in tokens, and a text must be cut while it
still arrives, on the event loop, where no tokenizer runs. The text is split into words as a BERT
tokenizer splits it; what a word costs is looked up in a filter over the shipped vocabulary and
else guessed by its length. It must not know a classifier.

How the shipped tokenizer reads: lower case, accents off; ideographs and punctuation stand alone;
every other run without white space is a word; a word in the vocabulary is one piece, another is
several; a word with a letter that the vocabulary lacks, or with more than 100 characters, is one
unknown piece (Devlin et al. 2019, the reference tokenization.py).
"""

from __future__ import annotations

import functools
import pkgutil
import re
import unicodedata
import zlib
from collections.abc import Iterator

#: A run is read in steps of this many characters; from the second step on it is an unknown word.
LONGEST_WORD = 100
STEP = LONGEST_WORD + 1
#: What a further step of an unknown word costs, and so many white characters one piece: neither
#: costs the model anything, but a window then has an end in characters too (about 256 a token).
FURTHER_STEP = 0.5
BLANKS = 256
#: A word of more pieces than this may be cut in its middle, so that a window of ids is filled.
DENSE = 4.0
#: No word of the vocabulary is longer, of letters, and with digits: an id is never one.
WHOLE_WORD, WHOLE_MIXED = 18, 5

# Which blocks hold punctuation beyond ASCII; what in them is punctuation, Unicode says.
_PUNCTUATED = (
    (0x00A1, 0x00C0), (0x037E, 0x0388), (0x055A, 0x0590), (0x05BE, 0x05F5), (0x0609, 0x06D5),
    (0x0964, 0x0971), (0x0DF4, 0x0DF5), (0x0E4F, 0x0E5C), (0x0F04, 0x0F15), (0x104A, 0x1050),
    (0x10FB, 0x10FC), (0x1360, 0x1369), (0x166D, 0x166F), (0x17D4, 0x17DB), (0x1800, 0x180B),
    (0x2010, 0x205F), (0x207D, 0x208F), (0x2308, 0x232B), (0x2768, 0x2776), (0x27E6, 0x27F0),
    (0x2983, 0x2999), (0x2E00, 0x2E5E), (0x3001, 0x3040), (0x30A0, 0x30FC), (0xFE10, 0xFE70),
    (0xFF00, 0xFF66),
)  # fmt: skip
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf"
_MARKS = "".join(
    re.escape(char)
    for first, end in ((0x21, 0x7F), *_PUNCTUATED)
    for char in map(chr, range(first, end))
    if (first < 0x7F and not char.isalnum()) or unicodedata.category(char)[0] == "P"
)
_ALONE = f"{_MARKS}{_IDEOGRAPHS}\U0002f800-\U0002fa1f"
# Many blanks, or a word (group 1), or a character that stands alone (group 2), or a blank ending.
_PIECE = re.compile(
    rf"\s{{{BLANKS}}}|\s{{0,{BLANKS - 1}}}(?:([^\s{_ALONE}]{{1,{STEP}}})|([{_ALONE}]))|\s+"
)

# A Bloom filter of 2^18 bits with two hashes over the vocabulary's whole words and single
# characters, written by tools/word_pieces.py; one word in forty is taken for a member wrongly.
_FILTER = pkgutil.get_data(__name__, "pieces.bin") or b""
_BITS = len(_FILTER) * 8 - 1


def weigh(text: str) -> int:
    """How many word pieces the shipped tokenizer makes of `text`, about: within 15 % for a
    beginning of 64 tokens or more of twenty kinds of text (a test). Linear in the text."""
    return int(sum(cost for _, _, cost, _ in _pieces(text)) + 0.5)


def cut(text: str, tokens: int, *, more: bool = False) -> int | None:
    """Where the longest beginning of `text` ends that weighs at most `tokens`.

    len(text) when all of it fits, else the end of a word, or the middle of one of many pieces (an
    id, base64). With `more` the text may go on: None until it certainly weighs more than `tokens`;
    an answer then is that of every continuation. Reads no further than one word behind it.
    """
    total, place, size = 0.0, 0, len(text)
    if size <= tokens and not more and text.isascii():
        return size  # no piece is less than a character
    for start, end, cost, known in _pieces(text):
        if more and end == size and not known:  # may still become one unknown word
            return place if total + min(cost, 1.0) > tokens else None
        if total + cost > tokens:
            inside = int((tokens - total - 1) / cost * (end - start)) if cost > DENSE else 0
            return start + inside if inside > 0 else place
        total += cost
        place = end
    return None if more else size


def tail(text: str, tokens: int) -> int:
    """Where the longest ending of `text` begins that weighs at most `tokens`: 0 when all of it
    fits, len(text) when not even its last word does. Reads no more than a multiple of it."""
    size, span = len(text), 8 * max(tokens, 1)
    while True:
        start = max(0, size - span)
        found = _last(text[start:], tokens, inside=start > 0)
        if found is not None or start == 0:
            return start + (found or 0)
        span *= 4


def _last(text: str, tokens: int, *, inside: bool) -> int | None:
    """`tail` of a text that is cut out (`inside`) of a longer one; None when all of it fits."""
    total, place = 0.0, len(text)
    pieces = list(_pieces(text))
    for index in range(len(pieces) - 1, -1, -1):
        start, _, cost, _ = pieces[index]
        if index == 0 and inside:
            return None  # this word's front is not here
        total += cost
        # A step inside an unknown word begins, when cut there, a word of its own.
        alone = total + (1.0 - cost if cost <= FURTHER_STEP else 0.0)
        if total > tokens:
            return place
        if alone <= tokens:
            place = start
    return None


def _pieces(text: str) -> Iterator[tuple[int, int, float, bool]]:
    """(start, end, pieces, whether nothing behind it can change that) of words and marks.

    Blanks belong to the word before which they stand, but `start` is the word's own.
    """
    run = -1  # where an unknown word goes on
    for match in _PIECE.finditer(text):
        word, end = match[1], match.end()
        if word is None:
            if match[2] is not None:
                yield end - 1, end, 1.0, True
            elif end - match.start() == BLANKS:
                yield match.start(), end, 1.0, True
            continue
        start = end - len(word)
        if start == run:
            full = len(word) == STEP
            yield start, end, FURTHER_STEP if full else 0.0, full
        elif len(word) == STEP:
            yield start, end, 1.0, True
        else:
            yield start, end, _word(word), False
            continue
        run = end


@functools.lru_cache(maxsize=4096)
def _word(word: str) -> float:
    """What one word costs; at least 1.0, so that an unfinished word has a least weight."""
    if word.isascii():
        word = word.lower()
        whole = WHOLE_WORD if word.isalpha() else WHOLE_MIXED
        if len(word) == 1 or (len(word) <= whole and _member(word)):
            return 1.0
        return _split(word)
    plain = "".join(
        char
        for char in unicodedata.normalize("NFD", word.lower())
        if unicodedata.category(char) != "Mn"
    )
    if len(plain) > LONGEST_WORD:
        return 1.0
    if plain.isascii():
        return _word(plain) if plain else 1.0
    if len(plain) <= WHOLE_WORD and _member(plain):
        return 1.0
    foreign = [char for char in plain if char > "\x7f"]
    if not all(map(_member, foreign)):
        return 1.0
    if 2 * len(foreign) < len(plain):
        return _split(plain) + 0.37 * len(foreign)
    return max(1.0, float(len(plain)))


#: Letters that English, which most of the vocabulary is, uses little: they make more pieces.
_RARE = "kzjyw"


def _split(word: str) -> float:
    """The mean number of pieces of words that are not in the vocabulary, by kind and length
    (measured over sixteen languages, code, base64 and hex digits)."""
    size = len(word)
    if word.isalpha():
        rare = sum(map(word.count, _RARE))
        return max(2.0, 1.77 + 0.29 * (size - 4) + 0.37 * rare)
    if word.isdigit():
        return max(2.0, 0.55 * size - 0.4)
    return max(2.0, 0.7 * size + 0.2)


def _member(word: str) -> bool:
    hashed = zlib.crc32(word.encode("utf-8", "surrogatepass"))
    first, second = hashed & _BITS, hashed >> 14
    return bool(_FILTER[first >> 3] >> (first & 7) & 1 and _FILTER[second >> 3] >> (second & 7) & 1)
