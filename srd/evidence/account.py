"""What a decision was made on, as values for explanations: places and labels, never prompt text.

Why this file exists: `srd explain`, the record and the debug headers answer "which bytes decided"
from one account. It must not know who renders it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srd.evidence.human import Skipped


@dataclass(frozen=True, slots=True)
class Deciding:
    """A text that decided: of the turn at `place`, bytes [start, end) of the body (-1: unknown, or
    still passing). `skipped` are characters of it that no human wrote."""

    place: int
    start: int
    end: int
    characters: int
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`turns`: human turns that were known; `unread`: characters of the deciding message that no
    classifier read; `held`: which turn's subject holds and why, "" where there was nothing to hold;
    `pinned`: what binds the conversation to a model; `unfiltered`: nothing human was found."""

    texts: tuple[Deciding, ...] = ()
    turns: int = 0
    harness: int = 0
    unread: int = 0
    held: str = ""
    pinned: str = ""
    unfiltered: bool = False

    def __repr__(self) -> str:
        return f"<Account of {self.turns} turns, {self.held or 'nothing held'}>"


#: The account of a text that no user wrote, or of nothing.
NOTHING = Account()
