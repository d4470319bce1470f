"""Literals and regular expressions by RE2: linear in the text, whatever the pattern.

Why this file exists: keyword, event and structure rules all come down to "which of these patterns
occur". It must not know what a rule makes of the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import re2

from srd.signals.borders import before_last_word, between_borders, marked, touching
from srd.signals.readings import RuleError
from srd.signals.text import utf8

_SET_SIZE = 256
_MAX_MEM = 32 << 20


def literal_pattern(keyword: str) -> bytes:
    r"""The keyword between borders, for texts that are `marked`.

    As upstream's `\b`, but in every script: "über" and "дума" have borders, too, and an end that
    is no part of a word ("C++", ".NET") needs none. A Han character switches them off, as upstream,
    and so does one of another script that is written without blanks.
    """
    quoted: bytes = re2.escape(marked(keyword))
    return between_borders(keyword, quoted)


def compile_re2(rule: str, pattern: bytes, *, case_sensitive: bool) -> Any:
    """One RE2 object over bytes.

    :raises RuleError: if RE2 refuses the pattern (syntax, look-around, or too large a program).
    """
    try:
        return re2.compile(pattern if case_sensitive else b"(?i)" + pattern, _options())
    except re2.error as refused:
        reason = refused.args[0] if refused.args else "not a pattern"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise RuleError(rule, f"RE2 refuses {pattern.decode()!r}: {reason}") from None


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEM
    return options


@dataclass(frozen=True, slots=True, repr=False)
class LiteralSet:
    """Many literals in one pass.

    RE2 sets run on the DFA alone, which is why only literals, and at most 256 to a set, are put in
    one: an overgrown set would silently match nothing.
    """

    sets: tuple[Any, ...]
    size: int

    @classmethod
    def of(cls, keywords: Sequence[str], *, case_sensitive: bool) -> Self:
        """Compile keywords as upstream's literals; indices are those of the sequence."""
        touching()  # its table is built now rather than with the first request
        sets = []
        for start in range(0, len(keywords), _SET_SIZE):
            one = re2.Set.SearchSet(_options())
            for keyword in keywords[start : start + _SET_SIZE]:
                one.Add((b"" if case_sensitive else b"(?i)") + literal_pattern(keyword))
            one.Compile()
            sets.append(one)
        return cls(tuple(sets), len(keywords))

    def found(self, text: str, *, final: bool) -> set[int]:
        """Indices of the literals that occur; before the end only those that stay found."""
        data = marked(text if final else before_last_word(text))
        return {
            number * _SET_SIZE + index
            for number, one in enumerate(self.sets)
            for index in one.Match(data) or ()
        }

    def __repr__(self) -> str:
        return f"<LiteralSet of {self.size}>"


@dataclass(frozen=True, slots=True, repr=False)
class PatternList:
    """Operators' own patterns, one RE2 each.

    Outside a set RE2 falls back to its NFA where the DFA runs out of memory, so a hostile pattern
    is slow, never wrong.
    """

    patterns: tuple[Any, ...]
    stable: tuple[bool, ...]

    @classmethod
    def of(cls, rule: str, patterns: Sequence[str], *, case_sensitive: bool) -> Self:
        """Compile raw patterns, no boundaries added.

        :raises RuleError: if RE2 refuses one of them.
        """
        return cls(
            tuple(compile_re2(rule, utf8(p), case_sensitive=case_sensitive) for p in patterns),
            # `$`, `\z` and `\B` can hold at the edge of a window and fail with the next byte.
            tuple(not any(end in p for end in ("$", "\\z", "\\B")) for p in patterns),
        )

    def found(self, text: str, *, final: bool) -> set[int]:
        """Indices of the patterns that occur; before the end only those that stay found."""
        data = utf8(text if final else before_last_word(text))
        return {
            index
            for index, pattern in enumerate(self.patterns)
            if (final or self.stable[index]) and pattern.search(data)
        }

    def __repr__(self) -> str:
        return f"<PatternList of {len(self.patterns)}>"
