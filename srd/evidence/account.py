"""What a decision was made on, as values for explanations: places and labels, never prompt text.

Why this file exists: `srd explain`, the record and the debug headers answer "why did it go there"
from one account. It must not know bodies, rules, nor who renders it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from srd.evidence.fold import share

if TYPE_CHECKING:
    from srd.evidence.human import Skipped
    from srd.signals.base import Origin


@dataclass(frozen=True, slots=True)
class Deciding:
    """A text that decided: of the turn at `place`, bytes [start, end) of the inflated body, quotes
    not among them (-1: of a beginning, whose end was not waited for). `characters` of it were
    read as a human's; `skipped` are characters of it that no human wrote."""

    place: int
    start: int
    end: int
    characters: int
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A human turn: its index among the body's turns, its bytes from the first text's start to the
    last one's end (as in `Deciding`), and, where the fold had it scored, its best label."""

    place: int
    start: int
    end: int
    label: str = ""
    confidence: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`texts`: those of the last human turn that counts, which decide. `turns`: the human turns
    that count, in order; `decides`: the index among them of the one whose subject counts, None
    where there is none. `early`: more turns may have followed. `harness`: user messages of no
    human. `unread`: characters of the deciding message that no classifier read.

    `held`: which earlier turn's subject holds and why, "" where none does. `pinned`: what binds the
    conversation to a model, "" where nothing does; `behind` user messages follow it and do not
    count. `pin_unknown`: earlier turns are known to the backend alone. `unfiltered`: nothing human
    was found, and all of the message counts. `inspected`: how many texts of whom rules of scope
    full could read.
    """

    texts: tuple[Deciding, ...] = ()
    turns: tuple[Said, ...] = ()
    decides: int | None = None
    early: bool = False
    harness: int = 0
    unread: int = 0
    held: str = ""
    pinned: str = ""
    behind: int = 0
    pin_unknown: bool = False
    unfiltered: bool = False
    inspected: tuple[tuple[Origin, int], ...] = ()

    def __repr__(self) -> str:
        return f"<Account {line(self)}>"

    @property
    def turn(self) -> int:
        """The number of the turn whose subject counts, from 1; 0 where there is none."""
        return 0 if self.decides is None else self.decides + 1


#: The account of a text that no user wrote, or of nothing.
NOTHING = Account()


def line(account: Account) -> str:
    """One line: "turn 1 of 5; held since turn 1: math .97; turn 5 said other .41; 120 characters
    unread". Turns count from 1; labels are the document's, and nothing is quoted."""
    parts = [_which(account)]
    if account.held:
        parts.append(account.held)
    if account.unfiltered:
        parts.append("nothing in it is a human's")
    if account.pinned:
        later = f", {account.behind} later user messages do not count" if account.behind else ""
        parts.append(f"pinned by {account.pinned}{later}")
    if account.pin_unknown:
        parts.append("pin unknown: earlier turns are not in the body")
    if account.unread:
        parts.append(f"{account.unread} characters unread")
    return "; ".join(parts)


def pin(account: Account) -> str:
    """What binds the conversation to a model, in a word: "" for nothing, "unknown" where only the
    backend has the turns that may."""
    return account.pinned or ("unknown" if account.pin_unknown else "")


def _which(account: Account) -> str:
    if account.decides is None:
        return "no user's text"
    if account.early:
        return f"the first {sum(t.characters for t in account.texts)} characters of turn 1"
    said = account.turns[account.decides]
    which = f"turn {account.turn} of {len(account.turns)}"
    labelled = said.label and not account.held
    return f"{which}: {said.label} {share(said.confidence)}" if labelled else which
