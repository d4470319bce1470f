"""Writes models/data/pii_own.jsonl.gz: sentences with made-up personal data, and clean ones.

Why this file exists: the public span sets are thin in e-mail, SSN, IBAN, IP and chat style. Every
value is generated; card numbers, IBANs and the like carry right check digits so that the rules and
the head see the same texts. A template belongs to one split.
"""

from __future__ import annotations

import random
import re
import string
from typing import TYPE_CHECKING, Any

from .common import OWN_DATA, PII_TYPES, SEED, write_jsonl_gz
from .write_attacks import items
from .write_prompts import sections

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED_FILES = ("pii.txt", "pii_more.txt")
#: How often a template is filled.
FILLED = 16
_SLOT = re.compile(r"\{([A-Z_]+)\}")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LEADS = (
    "",
    "",
    "",
    "",
    "Hi, ",
    "Hello! ",
    "Please help. ",
    "Quick note: ",
    "fyi ",
    "Here is the text: ",
)
TAILS = (
    "",
    "",
    "",
    "",
    " Thanks!",
    " What should I do next?",
    " Please keep it confidential.",
    " Reply soon.",
)


class Values:
    """Makes up a value for each slot."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.lists = {
            name: items(lines)
            for name, lines in sections(*SEED_FILES).items()
            if name not in ("template", "clean")
        }

    def make(self, kind: str) -> str:
        """Return a value of a PII type, or of FIRST or LAST (parts of a person's name)."""
        return str(getattr(self, f"_{kind.lower()}")())

    def _pick(self, name: str) -> str:
        return self.rng.choice(self.lists[name])

    def _digits(self, count: int) -> str:
        return "".join(self.rng.choice(string.digits) for _ in range(count))

    def _first(self) -> str:
        return self._pick("first")

    def _last(self) -> str:
        return self._pick("last")

    def _person(self) -> str:
        first, last = self._pick("first"), self._pick("last")
        middle = f" {self.rng.choice(string.ascii_uppercase)}." if self.rng.random() < 0.08 else ""
        return self.rng.choice((f"{first}{middle} {last}",) * 4 + (first,))

    def _gpe(self) -> str:
        return self._pick("city" if self.rng.random() < 0.7 else "country")

    def _organization(self) -> str:
        return self._pick("organization")

    def _nrp(self) -> str:
        return self._pick("nrp")

    def _title(self) -> str:
        return self._pick("title")

    def _domain_name(self) -> str:
        return self._pick("domain")

    def _street_address(self) -> str:
        number, street = self.rng.randint(1, 9900), self._pick("street")
        forms = (
            f"{number} {street}",
            f"{number} {street}, Apt {self.rng.randint(1, 60)}",
            f"{street} {number % 200}",
        )
        return self.rng.choice((forms[0], *forms))

    def _zip_code(self) -> str:
        return self.rng.choice(
            (self._digits(5), self._digits(5), f"{self._digits(5)}-{self._digits(4)}")
        )

    def _email_address(self) -> str:
        first, last = self._pick("first").lower(), re.sub(r"\W", "", self._pick("last").lower())
        name = self.rng.choice(
            (f"{first}.{last}", f"{first}{last}", f"{first[0]}{last}", f"{first}_{self._digits(2)}")
        )
        shop = self._pick("domain").removeprefix("www.")
        return (
            f"{name}@{self.rng.choice(('gmail.com', 'outlook.com', 'mail.org', 'corp.io', shop))}"
        )

    def _phone_number(self) -> str:
        forms = (
            "(###) ###-####",
            "###-###-####",
            "+1 ### ### ####",
            "+44 20 #### ####",
            "+47 ### ## ###",
            "0### #######",
            "+49 ### #######",
            "##########",
            "###.###.####",
        )
        return re.sub("#", lambda _: self._digits(1), self.rng.choice(forms))

    def _credit_card(self) -> str:
        head = self.rng.choice(("4", "51", "55", "37", "6011"))
        length = 15 if head == "37" else 16
        body = head + self._digits(length - 1 - len(head))
        number = body + str(luhn_digit(body))
        if length == 16 and self.rng.random() < 0.6:
            separator = self.rng.choice("- ")
            return separator.join(number[i : i + 4] for i in range(0, 16, 4))
        return number

    def _iban_code(self) -> str:
        country, length = self.rng.choice(
            (("DE", 18), ("NO", 11), ("FR", 23), ("ES", 20), ("NL", 14), ("CH", 17))
        )
        body = self._digits(length) if country != "NL" else f"ABNA{self._digits(10)}"
        value = int("".join(str(int(c, 36)) for c in body + country + "00"))
        code = f"{country}{98 - value % 97:02d}{body}"
        return (
            " ".join(code[i : i + 4] for i in range(0, len(code), 4))
            if self.rng.random() < 0.5
            else code
        )

    def _us_ssn(self) -> str:
        area = self.rng.choice([n for n in range(1, 900) if n != 666])
        return f"{area:03d}-{self.rng.randint(1, 99):02d}-{self.rng.randint(1, 9999):04d}"

    def _us_driver_license(self) -> str:
        return self.rng.choice(
            (
                f"{self.rng.choice(string.ascii_uppercase)}{self._digits(7)}",
                self._digits(9),
                f"{self.rng.choice(string.ascii_uppercase)}{self._digits(12)}",
            )
        )

    def _ip_address(self) -> str:
        if self.rng.random() < 0.15:
            return ":".join(f"{self.rng.randint(1, 65535):x}" for _ in range(8))
        return ".".join(str(self.rng.randint(1, 254)) for _ in range(4))

    def _age(self) -> str:
        return str(self.rng.randint(3, 97))

    def _date_time(self) -> str:
        day, month, year = (
            self.rng.randint(1, 28),
            self.rng.choice(_MONTHS),
            self.rng.randint(1940, 2026),
        )
        number = _MONTHS.index(month) + 1
        forms = (
            f"{day} {month} {year}",
            f"{month} {day}, {year}",
            f"{number:02d}/{day:02d}/{year}",
            f"{year}-{number:02d}-{day:02d}",
            f"{number:02d}/{year % 100:02d}",
            f"{month} {day}",
            self.rng.choice(_DAYS),
            f"{self.rng.randint(1, 12)} pm",
            f"{day}.{number}.{year}",
        )
        return self.rng.choice(forms)


def luhn_digit(body: str) -> int:
    """Return the check digit that makes `body` plus it pass the Luhn test."""
    total = 0
    for index, character in enumerate(reversed(body)):
        digit = int(character) * (2 if index % 2 == 0 else 1)
        total += digit - 9 if digit > 9 else digit
    return -total % 10


def fill(template: str, values: Values) -> tuple[str, list[list[Any]]]:
    """Return the text and its spans [start, end, type]."""
    text, spans, position = "", [], 0
    template = template.replace("{{", "\x01").replace("}}", "\x02")
    for slot in _SLOT.finditer(template):
        text += template[position : slot.start()]
        value, kind = values.make(slot[1]), slot[1]
        spans.append(
            [len(text), len(text) + len(value), "PERSON" if kind in ("FIRST", "LAST") else kind]
        )
        text += value
        position = slot.end()
    text += template[position:]
    if unknown := {span[2] for span in spans} - set(PII_TYPES):
        raise ValueError(f"unknown types {unknown}")
    return text.replace("\x01", "{").replace("\x02", "}"), spans


def rows(rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield filled templates and clean sentences."""
    seeds, values = sections(*SEED_FILES), Values(rng)
    for template in seeds["template"]:
        for _ in range(FILLED):
            lead, tail = rng.choice(LEADS), rng.choice(TAILS)
            text, spans = fill(template, values)
            moved = [[s + len(lead), e + len(lead), kind] for s, e, kind in spans]
            yield {
                "text": lead + text + tail,
                "spans": moved,
                "group": f"template:{template}",
                "source": "own-pii",
            }
    for sentence in seeds["clean"]:
        for _ in range(2):
            text = rng.choice(LEADS) + sentence + rng.choice(TAILS)
            yield {
                "text": text,
                "spans": [],
                "group": f"template:{sentence}",
                "source": "own-clean",
            }


def run() -> int:
    """Write the file and return the number of rows."""
    return write_jsonl_gz(OWN_DATA / "pii_own.jsonl.gz", rows(random.Random(SEED + 2)))
