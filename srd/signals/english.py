"""English words as stems: lower-cased, without accents, stop words and inflection.

Why this file exists: BM25 compares words as upstream's English tokenizer leaves them. The stemmer
follows M. Porter's published definition of the "English (Porter2)" algorithm, step for step; the
stop words are a short list of function words. It must not know what is scored.
"""

import functools
import re
from collections.abc import Iterable

from srd.signals.text import MAX_CHARS, plain

#: Longer "words" are not English and stay as they are.
MAX_WORD = 64

# A word may hold an apostrophe or a full stop inside: "don't", "3.14", "main.py".
_WORD = re.compile(r"\w+(?:['’.]\w+)*")

_FUNCTION_WORDS = """
a about above after again against all am an and any are aren't as at be because been before being
below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't
down during each few for from further had hadn't has hasn't have haven't having he he'd he'll he's
her here here's hers herself him himself his how how's i i'd i'll i'm i've if in into is isn't it
it's its itself let's me more most mustn't my myself no nor not of off on once only or other ought
our ours ourselves out over own same shan't she she'd she'll she's should shouldn't so some such
than that that's the their theirs them themselves then there there's these they they'd they'll
they're they've this those through to too under until up very was wasn't we we'd we'll we're we've
were weren't what what's when when's where where's which while who who's whom why why's will with
won't would wouldn't you you'd you'll you're you've your yours yourself yourselves
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())

IRREGULAR = {
    "skis": "ski",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "idly": "idl",
    "gently": "gentl",
    "ugly": "ugli",
    "early": "earli",
    "only": "onli",
    "singly": "singl",
} | {w: w for w in ("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")}
_FINAL_AFTER_1A = frozenset(
    ("inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed")
)
_VOWEL = re.compile("[aeiouy]")
_REGION = re.compile("[aeiouy][^aeiouy]")
_LONG_PREFIX = re.compile("gener|commun|arsen")
_SHORT_SYLLABLE = re.compile("(?:^[aeiouy][^aeiouy]|[^aeiouy][aeiouy][^aeiouywxY])$")

_STEP_2 = {
    "tional": "tion",
    "enci": "ence",
    "anci": "ance",
    "abli": "able",
    "entli": "ent",
    "izer": "ize",
    "ization": "ize",
    "ational": "ate",
    "ation": "ate",
    "ator": "ate",
    "alism": "al",
    "aliti": "al",
    "alli": "al",
    "fulness": "ful",
    "ousli": "ous",
    "ousness": "ous",
    "iveness": "ive",
    "iviti": "ive",
    "biliti": "ble",
    "bli": "ble",
    "ogi": "og",
    "fulli": "ful",
    "lessli": "less",
    "li": "",
}
_STEP_3 = {
    "tional": "tion",
    "ational": "ate",
    "alize": "al",
    "icate": "ic",
    "iciti": "ic",
    "ical": "ic",
    "ful": "",
    "ness": "",
    "ative": "",
}
_STEP_4 = (
    *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment"),
    *("ent", "ism", "ate", "iti", "ous", "ive", "ize", "ion"),
)


def stems(text: str, *, final: bool = True) -> list[str]:
    """The stems of a text's words in order, stop words left out.

    `final=False` leaves out a last word that the next characters may still change.
    """
    return [stem(word) for word in words(text, final=final) if word not in STOP_WORDS]


def words(text: str, *, final: bool = True) -> list[str]:
    """The words before stemming, in order, of the first 262,144 characters of the plain text."""
    found: list[str] = _WORD.findall(plain(text)[:MAX_CHARS].replace("’", "'"))
    if found and not final and not text[-1].isspace():
        found.pop()
    return found


def beginning(stemmed: str) -> str:
    """What every word begins with whose stem this is, but for the few irregular ones (`IRREGULAR`).

    Endings alone change: the last two letters of a stem may be none of the word ("ability" is
    "abil", "hoped" is "hope"), its first two always are.
    """
    return stemmed[: max(2, len(stemmed) - 3)]


@functools.lru_cache(maxsize=16384)
def _stem(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    word = _mark_consonant_y(word.removeprefix("'"))
    r1, r2 = _regions(word)
    for possessive in ("'s'", "'s", "'"):
        if word.endswith(possessive):
            word = word.removesuffix(possessive)
            break
    word = _step_1a(word)
    if word in _FINAL_AFTER_1A:
        return word
    word = _step_1c(_step_1b(word, r1))
    word = _step_2(word, r1)
    word = _step_3(word, r1, r2)
    word = _step_4(word, r2)
    return _step_5(word, r1, r2).lower()


def stem(word: str) -> str:
    """The Porter2 stem of a lower-case word; words under 3 or over 64 letters are left alone."""
    return _stem(word) if 2 < len(word) <= MAX_WORD else word


def _mark_consonant_y(word: str) -> str:
    """Y where y is a consonant: at the start and after a vowel."""
    return re.sub("^y|(?<=[aeiouy])y", "Y", word)


def _regions(word: str) -> tuple[int, int]:
    """Where R1 and R2 begin: after the first non-vowel that follows a vowel, and once more."""
    if prefix := _LONG_PREFIX.match(word):
        r1 = prefix.end()
    else:
        first = _REGION.search(word)
        r1 = first.end() if first else len(word)
    second = _REGION.search(word, r1)
    return r1, second.end() if second else len(word)


def _suffix(word: str, suffixes: Iterable[str]) -> str:
    """The longest of the suffixes that the word ends with, or ""."""
    return max((s for s in suffixes if word.endswith(s)), key=len, default="")


def _step_1a(word: str) -> str:
    suffix = _suffix(word, ("sses", "ied", "ies", "us", "ss", "s"))
    if suffix == "sses":
        return word[:-2]
    if suffix in ("ied", "ies"):
        return word[:-2] if len(word) > 4 else word[:-1]
    if suffix == "s" and _VOWEL.search(word, 0, max(0, len(word) - 2)):
        return word[:-1]
    return word


def _step_1b(word: str, r1: int) -> str:
    suffix = _suffix(word, ("eed", "eedly", "ed", "edly", "ing", "ingly"))
    body = word.removesuffix(suffix)
    if suffix in ("eed", "eedly"):
        return body + "ee" if len(body) >= r1 else word
    if not suffix or not _VOWEL.search(body):
        return word
    if body.endswith(("at", "bl", "iz")):
        return body + "e"
    if body.endswith(("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")):
        return body[:-1]
    if len(body) <= r1 and _SHORT_SYLLABLE.search(body):
        return body + "e"
    return body


def _step_1c(word: str) -> str:
    if len(word) > 2 and word[-1] in "yY" and word[-2] not in "aeiouy":
        return word[:-1] + "i"
    return word


def _step_2(word: str, r1: int) -> str:
    suffix = _suffix(word, _STEP_2)
    body = word.removesuffix(suffix)
    if not suffix or len(body) < r1:
        return word
    if suffix == "ogi" and not body.endswith("l"):
        return word
    if suffix == "li" and (not body or body[-1] not in "cdeghkmnrt"):
        return word
    return body + _STEP_2[suffix]


def _step_3(word: str, r1: int, r2: int) -> str:
    suffix = _suffix(word, _STEP_3)
    body = word.removesuffix(suffix)
    if not suffix or len(body) < (r2 if suffix == "ative" else r1):
        return word
    return body + _STEP_3[suffix]


def _step_4(word: str, r2: int) -> str:
    suffix = _suffix(word, _STEP_4)
    body = word.removesuffix(suffix)
    if not suffix or len(body) < r2:
        return word
    if suffix == "ion" and not body.endswith(("s", "t")):
        return word
    return body


def _step_5(word: str, r1: int, r2: int) -> str:
    body = word[:-1]
    if word.endswith("e"):
        if len(body) >= r2 or (len(body) >= r1 and not _SHORT_SYLLABLE.search(body)):
            return body
    elif word.endswith("ll") and len(body) >= r2:
        return body
    return word
