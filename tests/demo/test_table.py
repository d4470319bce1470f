"""How the table is laid out."""

from __future__ import annotations

import pytest

from srd.demo.table import Row, render, shorten


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_right() -> None:
    rows = [
        Row(
            prompt="2+2?",
            mode="duplex",
            category="math",
            confidence="0.9731",
            decision="math_decision",
            model="math-expert",
            basis="complete",
            bytes_read=97,
            bytes_total=97,
            ms_added=12.34,
        ),
        Row(prompt="Long", mode="buffered", bytes_total=2_000_000),
    ]
    heading, rule, first, second = render(rows).splitlines()
    assert [" ".join(line.split()) for line in (heading, first, second)] == [
        "prompt mode category conf decision backend received basis read / total bytes +ms",
        "2+2? duplex math 0.97 math_decision math-expert complete 97 / 97 12.3",
        "Long buffered - - - - - - / 2,000,000 -",
    ]
    assert len(first) == len(second) == len(rule) == len(heading)
    assert first.index("math_decision") == heading.index("decision")


@pytest.mark.parametrize(
    ("prompt", "short"),
    [
        ("Is 91 a prime?", "Is 91 a prime?"),
        ("two\n\n lines", "two lines"),
        ("What is the derivative of f(x) = x^3 + 2?", "What is the derivative of f(x) =…"),
        ("x" * 50, "x" * 33 + "…"),
    ],
)
def test_a_prompt_is_shortened_at_a_word(prompt: str, short: str) -> None:
    assert shorten(prompt) == short
