"""Personal data that has a form: cards, IBANs, SSNs, addresses of mail and machines, phones, keys.

Why this file exists: a checksum proves what a token classifier can only guess. Linear time on any
text: the patterns run in RE2, and each candidate is checked in constant time. It must not know
models or thresholds. Type names are upstream's (section 3.1); `API_KEY` is ours.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

import re2

from srd.classify.api import PiiSpan

#: Confidence of a hit: what a checksum or an unmistakable form proves, and what a form suggests.
#: Our judgement of the rules, above upstream's default threshold of .9; not a measured precision.
PROVEN = 0.99
FORMED = 0.95

#: A check takes a candidate and the bytes before it, and returns the part that is the entity.
Part = tuple[int, int]
Check = Callable[[bytes, bytes], Part | None]
#: Bytes before a candidate that may name it ("phone: ...").
_CONTEXT = 48


def _luhn(digits: bytes) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = digit - 48
        if position % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def _card_length(digits: bytes) -> bool:
    """Issuer prefix and length agree (ISO/IEC 7812 ranges of the large networks)."""
    count = len(digits)
    two, four = int(digits[:2]), int(digits[:4])
    if digits[:1] == b"4":
        return count in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return count == 16
    if two in (34, 37):
        return count == 15
    if two in (36, 38, 39) or 300 <= four // 10 <= 305:
        return count == 14
    return (four == 6011 or two in (35, 62, 65) or 644 <= four // 10 <= 649) and 16 <= count <= 19


def _card(found: bytes, _: bytes) -> Part | None:
    """Find a run of digit groups that is a card: other numbers may stand right beside it."""
    edges = [0, *(place for place in range(1, len(found)) if found[place - 1] in b" -")]
    ends = [*(place - 1 for place in edges[1:]), len(found)]
    for first, start in enumerate(edges):
        for end in reversed(ends[first:]):
            digits = found[start:end].translate(None, b" -")
            if len(digits) < 13:
                break
            if _card_length(digits) and _luhn(digits):
                return start, end
    return None


#: Length of an IBAN by country (the SWIFT registry).
_IBAN_LENGTHS = {
    code: int(length)
    for length, codes in {
        "15": "NO", "16": "BE", "18": "DK FI FO GL NL SD", "19": "MK SI",
        "20": "AT BA EE KZ LT LU MN XK", "21": "CH HR LI LV", "22": "BG BH CR DE GB GE IE ME RS VA",
        "23": "AE GI IL IQ OM SO TL", "24": "AD CZ ES MD PK RO SA SE SK TN VG",
        "25": "LY PT ST", "26": "IS TR", "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HU LB NI PL SV", "29": "BR EG PS QA UA", "30": "JO KW MU YE",
        "31": "MT SC", "32": "LC", "33": "RU",
    }.items()
    for code in codes.split()
}  # fmt: skip


def _iban(found: bytes, _: bytes) -> Part | None:
    """The IBAN at the start of `found`, which may run on into capital letters."""
    length = _IBAN_LENGTHS.get(found[:2].decode(), 0)
    taken = bytearray()
    for position, byte in enumerate(found):
        if byte != 32:
            taken.append(byte)
        if len(taken) == length:
            number = int("".join(str(int(chr(char), 36)) for char in taken[4:] + taken[:4]))
            return (0, position + 1) if number % 97 == 1 else None
    return None


_SSN_WORDS = (b"ssn", b"social security", b"social-security")


def _ssn(found: bytes, before: bytes) -> Part | None:
    digits = found.translate(None, b" -")
    area, group, serial = int(digits[:3]), int(digits[3:5]), int(digits[5:])
    possible = area not in (0, 666) and area < 900 and group and serial
    named = b"-" in found or any(word in before.lower() for word in _SSN_WORDS)
    return (0, len(found)) if possible and named else None


_PHONE_WORDS = (b"phone", b"call", b"tel", b"mobile", b"cell", b"fax", b"whatsapp", b"contact")


def _phone(found: bytes, before: bytes) -> Part | None:
    """International with a plus; North American with its separators, or named as a phone."""
    places = [place for place, byte in enumerate(found) if 48 <= byte <= 57]
    digits = bytes(found[place] for place in places)
    if digits[:1] == b"1" and found.startswith(b"+"):
        # North America has eleven digits; what follows is another number.
        whole = len(digits) == 11 or (len(digits) > 11 and places[11] > places[10] + 1)
        return (0, places[10] + 1) if whole else None
    if found.startswith(b"+"):
        return (0, len(found)) if 8 <= len(digits) <= 15 else None
    national = digits[1:] if len(digits) == 11 and digits[:1] == b"1" else digits
    if len(national) != 10 or national[0] < 50 or national[3] < 50:
        return None
    written = found[:1] == b"(" or b"-" in found or b"." in found
    named = any(word in before.lower() for word in _PHONE_WORDS)
    return (0, len(found)) if written or named else None


def _ipv4(found: bytes, before: bytes) -> Part | None:
    parts = [int(part) for part in found.split(b".")]
    if any(part > 255 for part in parts) or parts[0] in (0, 127, 255):
        return None  # not an address, or one that names nobody
    versions = (b"version", b"release")
    return None if before.lower().rstrip(b" :=").endswith(versions) else (0, len(found))


def _ipv6(found: bytes, _: bytes) -> Part | None:
    groups = [group for group in found.split(b":") if group]
    if len(groups) < 3 and not found[:4].lower().startswith((b"fe80", b"fd", b"20", b"2a")):
        return None  # "a::b" is also C++, and a slice in Python
    try:
        address = ipaddress.IPv6Address(found.decode())
    except ValueError:
        return None
    return None if address.is_loopback or address.is_unspecified else (0, len(found))


def _whole(found: bytes, _: bytes) -> Part | None:
    return 0, len(found)


_KEYS = "|".join(
    (
        r"sk-[A-Za-z0-9_\-]{20,200}",
        r"(?:AKIA|ASIA)[0-9A-Z]{16}",
        r"gh[pousr]_[A-Za-z0-9]{36,255}",
        r"github_pat_[A-Za-z0-9_]{22,255}",
        r"glpat-[A-Za-z0-9_\-]{20,64}",
        r"xox[abeprs]-[A-Za-z0-9\-]{10,250}",
        r"AIza[0-9A-Za-z_\-]{35}",
        r"hf_[A-Za-z0-9]{30,64}",
        r"npm_[A-Za-z0-9]{36}",
        r"[sr]k_live_[A-Za-z0-9]{16,128}",
        r"eyJ[A-Za-z0-9_\-]{8,500}\.eyJ[A-Za-z0-9_\-]{8,900}\.[A-Za-z0-9_\-]{8,900}",
    )
)
_MAIL = r"[A-Za-z0-9._%+\-]{1,64}@(?:[A-Za-z0-9\-]{1,63}\.){1,6}[A-Za-z]{2,24}\b"
_PHONE = (
    r"\+[0-9]{1,3}(?:[ .\-]?\(?[0-9]{1,4}\)?){2,6}"
    r"|(?:\b1[ .\-])?(?:\([0-9]{3}\) ?|\b[0-9]{3}[ .\-])[0-9]{3}[ .\-][0-9]{4}"
)


class _Rule:
    """A pattern whose matches `check` confirms or narrows."""

    def __init__(
        self, label: str, pattern: str, needs: bytes, check: Check, confidence: float
    ) -> None:
        self.label = label
        self.needs = needs
        self.check = check
        self.confidence = confidence
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1  # bytes in, bytes out
        self._pattern = re2.compile(pattern.encode(), options)

    def __repr__(self) -> str:
        return f"<Rule {self.label}>"

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        for match in self._pattern.finditer(data):
            start, end = match.span()
            if data[max(start - 1, 0) : start].isalnum():
                continue  # the rest of a long run of digits, which one check has refused
            part = self.check(data[start:end], data[max(start - _CONTEXT, 0) : start])
            if part is None:
                continue
            first, last = start + part[0], start + part[1]
            # An entity is never the inside of a longer word or number.
            if data[max(first - 1, 0) : first].isalnum() or data[last : last + 1].isalnum():
                continue
            yield first, last


#: Earlier rules win where two overlap. `needs`: bytes of which one must occur at all.
_RULES = (
    _Rule("API_KEY", _KEYS, b"-_.AI", _whole, PROVEN),
    _Rule("EMAIL_ADDRESS", _MAIL, b"@", _whole, PROVEN),
    _Rule("IBAN_CODE", r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}", b"0123456789", _iban, PROVEN),
    _Rule("CREDIT_CARD", r"[0-9](?:[ \-]?[0-9]){12,18}", b"0123456789", _card, PROVEN),
    _Rule("US_SSN", r"[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{3} ?[0-9]{2} ?[0-9]{4}", b"0123456789",
          _ssn, FORMED),
    _Rule("IP_ADDRESS", r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", b".", _ipv4, FORMED),
    _Rule("IP_ADDRESS", r"(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}", b":", _ipv6, FORMED),
    _Rule("PHONE_NUMBER", _PHONE, b"0123456789", _phone, FORMED),
)  # fmt: skip


def find(text: str) -> list[PiiSpan]:
    """Spans of `text` in text order, not overlapping; O(len(text))."""
    data = text.encode("utf-8", "replace")
    found: list[tuple[int, int, _Rule]] = []
    for rule in _RULES:
        if not any(data.find(byte) >= 0 for byte in rule.needs):
            continue
        found = _without_overlap(found, [(start, end, rule) for start, end in rule.spans(data)])
    if not found:
        return []
    places = _characters(data, [place for start, end, _ in found for place in (start, end)])
    return [
        PiiSpan(places[2 * index], places[2 * index + 1], rule.label, rule.confidence)
        for index, (_, _, rule) in enumerate(found)
    ]


def _without_overlap(
    first: list[tuple[int, int, _Rule]], second: list[tuple[int, int, _Rule]]
) -> list[tuple[int, int, _Rule]]:
    """Both sorted lists in order; of two that overlap, the one from `first`."""
    kept = list(first)
    position = 0
    for entry in second:
        while position < len(first) and first[position][1] <= entry[0]:
            position += 1
        if position == len(first) or first[position][0] >= entry[1]:
            kept.append(entry)
    return sorted(kept, key=lambda entry: entry[0])


def _characters(data: bytes, places: list[int]) -> list[int]:
    """Byte offsets, ascending, as character offsets; each byte is looked at once."""
    if data.isascii():
        return places
    results: list[int] = []
    byte, character = 0, 0
    for place in places:
        character += len(data[byte:place].decode("utf-8", "replace"))
        byte = place
        results.append(character)
    return results
