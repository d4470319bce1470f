"""The table that the demo prints.

Why this file exists: how facts are laid out is not how they are found. It must not do I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PROMPT_CHARS: Final = 34
_HEADINGS: Final = (
    ("prompt", "<"),
    ("mode", "<"),
    ("category", "<"),
    ("conf", ">"),
    ("decision", "<"),
    ("backend received", "<"),
    ("basis", "<"),
    ("read / total bytes", ">"),
    ("+ms", ">"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is known of one request. Empty texts and None print as "-"."""

    prompt: str
    mode: str
    category: str = ""
    confidence: str = ""
    decision: str = ""
    model: str = ""
    basis: str = ""
    bytes_read: int | None = None
    bytes_total: int
    ms_added: float | None = None

    def cells(self) -> tuple[str, ...]:
        """The texts of the row, in the order of the headings."""
        read = "-" if self.bytes_read is None else f"{self.bytes_read:,}"
        return (
            shorten(self.prompt),
            self.mode or "-",
            self.category or "-",
            self.confidence[:4] or "-",
            self.decision or "-",
            self.model or "-",
            self.basis or "-",
            f"{read} / {self.bytes_total:,}",
            "-" if self.ms_added is None else f"{self.ms_added:.1f}",
        )


def shorten(prompt: str) -> str:
    """Return the first words of a prompt, cut at a word where that leaves something."""
    line = " ".join(prompt[: 4 * _PROMPT_CHARS].split())
    if len(line) <= _PROMPT_CHARS:
        return line
    cut = line[: _PROMPT_CHARS - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut) + "…"


def render(rows: Sequence[Row]) -> str:
    """Return the table as lines of text, columns as wide as their widest cell."""
    cells = [row.cells() for row in rows]
    headings = tuple(name for name, _ in _HEADINGS)
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    rule = tuple("-" * width for width in widths)
    return "\n".join(_line(line, widths) for line in (headings, rule, *cells))


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    aligned = (
        f"{cell:{side}{width}}"
        for cell, width, (_, side) in zip(cells, widths, _HEADINGS, strict=True)
    )
    return "  ".join(aligned).rstrip()
