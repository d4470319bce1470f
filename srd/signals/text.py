"""What several signals need to know about a piece of text, and nothing about signals.

Why this file exists: prompts arrive with lone surrogates, half words at a window's edge and
megabytes of one letter. The answers to those are given once. It must not know who asks.
"""

import re
import string
import unicodedata

from srd.signals import arrays as np

ASCII_WORD = string.ascii_letters + string.digits + "_"

#: Matchers that work word by word in Python look at no more than this much of a text: they cost
#: about a microsecond a word, where RE2 costs a nanosecond a byte.
MAX_CHARS = 262_144

#: ... and compare no more than this many different words of it, the first ones.
MAX_WORDS = 8_192

#: Insides of regular expression classes.
HAN_CLASS = (
    "\u2e80-\u2fd5\u3005\u3007\u3021-\u3029\u3038-\u303b"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufad9\U00020000-\U000323af"
)
CJK_CLASS = HAN_CLASS + "\u1100-\u11ff\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7a3"

_MARKS = re.compile("[\u0300-\u036f]+")

_EXCERPT = 2048
_HEAD = 682
_TAIL = 684


def utf8(text: str) -> bytes:
    """The text as UTF-8; a lone surrogate becomes U+FFFD, as in upstream's JSON decoder."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _paired(text)


def _paired(text: str) -> bytes:
    """Surrogates that follow each other as a pair are one character, the others U+FFFD.

    In numpy, over the three bytes that a surrogate would have: a codec's error handler costs half a
    microsecond for each of them.
    """
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8).copy()
    at = np.flatnonzero((data[:-1] == 0xED) & (data[1:] >= 0xA0))
    halves = ((data[at + 1] & 0x1F).astype(np.uint32) << 6) | (data[at + 2] & 0x3F)
    first = np.flatnonzero((halves[:-1] < 0x400) & (halves[1:] >= 0x400) & (np.diff(at) == 3))
    lone = np.ones(len(at), dtype=np.bool_)
    lone[first] = lone[first + 1] = False
    for offset, byte in enumerate(b"\xef\xbf\xbd"):
        data[at[lone] + offset] = byte
    code = 0x10000 + (halves[first] << 10) + (halves[first + 1] - 0x400)
    start = at[first]
    data[start] = 0xF0 | (code >> 18)
    for offset, shift in enumerate((12, 6, 0), 1):
        data[start + offset] = 0x80 | ((code >> shift) & 0x3F)
    kept = np.ones(len(data), dtype=np.bool_)
    kept[start + 4] = kept[start + 5] = False
    return data[kept].tobytes()


def excerpt(text: str) -> str:
    """At most 2048 characters: head, middle and tail of a longer text (as upstream)."""
    if len(text) <= _EXCERPT:
        return text
    middle = (len(text) - _HEAD) // 2
    return "\n".join((text[:_HEAD], text[middle : middle + _HEAD], text[-_TAIL:]))


def plain(text: str) -> str:
    """Lower case without accents: "Café" -> "cafe". Marks of other scripts stay."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = _MARKS.sub("", decomposed)
    return text.lower()
