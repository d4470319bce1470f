from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.classify.pii_rules import find


def hits(text: str) -> list[tuple[str, str]]:
    return [(span.label, text[span.start : span.end]) for span in find(text)]


@pytest.mark.parametrize(
    ("label", "entity", "around"),
    [
        ("CREDIT_CARD", "4111 1111 1111 1111", "my card {} expires"),
        ("CREDIT_CARD", "5500-0000-0000-0004", "{}"),
        ("CREDIT_CARD", "378282246310005", "amex {}."),
        ("CREDIT_CARD", "4111 1111 1111 1111", "order 12 {} 99 pieces"),
        ("IBAN_CODE", "DE89 3704 0044 0532 0130 00", "to {} AND WITH A LONG CAPITAL WORD"),
        ("IBAN_CODE", "GB82WEST12345698765432", "({})"),
        ("US_SSN", "123-45-6789", "it is {}, yes"),
        ("US_SSN", "123 45 6789", "my SSN is {}"),
        ("EMAIL_ADDRESS", "jane.doe+x@mail.example.co.uk", "write to {}."),
        ("PHONE_NUMBER", "+49 30 1234567", "ring {}"),
        ("PHONE_NUMBER", "(415) 555-2671", "at {} please"),
        ("PHONE_NUMBER", "415 555 2671", "call me: {}"),
        ("IP_ADDRESS", "10.1.2.3", "host {}:80"),
        ("IP_ADDRESS", "2001:db8::1", "host {} up"),
        ("IP_ADDRESS", "fe80::1", "on {}"),
        ("API_KEY", "sk-abcdefghijklmnopqrstuvwx", "key={}"),
        ("API_KEY", "AKIAIOSFODNN7EXAMPLE", "{} secret"),
        ("API_KEY", "ghp_" + "a1" * 18, "token {}"),
    ],
)
def test_an_entity_is_found_exactly(label, entity, around):
    assert hits(around.format(entity)) == [(label, entity)]
    assert hits("Grüße 😀 " + around.format(entity)) == [(label, entity)], "offsets are characters"


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # Luhn fails
        "1234567890123452",  # Luhn holds, no issuer has it
        "1700000000000 and 1700000000000000",  # times
        "DE88 3704 0044 0532 0130 00",  # mod 97 fails
        "000-12-3456, 666-12-3456, 900-12-3456, 123-00-4567, 123-45-0000",
        "123 45 6789 and 123456789",  # nine digits without a word for it
        "192.168.1.256, 1.2.3, 127.0.0.1, 0.0.0.0, v1.2.3.4, version 1.2.3.4",
        "std::vector<int> x; a::b; y[10::20]; 12:30:45; ::1; 00:1b:44:11:3a:b7",
        "200 300 4000, 3.14159265358979, 2023-10-12, 555-1234, 123.456.7890",
        "user@localhost, @handle, a@b",
        "task-abcdefghijklmnopqrstuvwxyz0123, x+1 = 2, 10+20 30 40 50",
        "What is 1+1234567? Solve 3x + 12 345 678 901 = 0.",
    ],
)
def test_what_only_looks_like_an_entity_is_not_one(text):
    assert hits(text) == []


def test_spans_come_in_order_and_never_overlap():
    text = "a@b.com 4111111111111111 +1 415 555 2671 10.0.0.1 DE89370400440532013000"
    found = find(text)
    assert [span.label for span in found] == [
        "EMAIL_ADDRESS", "CREDIT_CARD", "PHONE_NUMBER", "IP_ADDRESS", "IBAN_CODE"
    ]  # fmt: skip
    assert all(one.end <= two.start for one, two in pairwise(found))


def luhn(digits: str) -> bool:
    """The rule in its plain words, by another way than the code's."""
    table = "0123456789", "0246813579"
    return sum(int(table[i % 2][int(d)]) for i, d in enumerate(reversed(digits))) % 10 == 0


@given(st.from_regex(r"4[0-9]{15}", fullmatch=True))
def test_a_sixteen_digit_visa_number_is_a_card_exactly_when_its_checksum_holds(digits):
    assert (("CREDIT_CARD", digits) in hits(f"pay {digits} now")) == luhn(digits)


@given(st.text(alphabet=st.sampled_from("0123456789 -.@:+()aAzZéDE\ud800"), max_size=80))
def test_any_text_gives_ordered_spans_inside_it(text):
    found = find(text)
    ends = [0]
    for span in found:
        assert ends[-1] <= span.start < span.end <= len(text)
        ends.append(span.end)
        if span.label in {"CREDIT_CARD", "US_SSN"}:
            assert re.fullmatch(r"[0-9 -]+", text[span.start : span.end])
