"""Checks of a rule's values that several signal types share.

Why this file exists: a pattern that does not compile and a predicate that no number keeps are
reported alike wherever they stand. It must not know which rules have them.
"""

import re2

from srd.config.problems import Problems, quote
from srd.config.rules import Predicate

__all__ = ["check_pattern", "check_predicate"]


def check_pattern(problems: Problems, path: str, pattern: str) -> None:
    """Report a pattern that RE2 refuses."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        shown = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        problems.error(
            path,
            f"the pattern {quote(pattern)} does not compile: {shown}",
            "patterns are RE2: no look-around, no back-references",
        )


def check_predicate(problems: Problems, path: str, predicate: Predicate | None) -> None:
    """Report bounds that leave no number."""
    if predicate is not None and _impossible(predicate):
        problems.error(path, "no number satisfies this predicate")


def _impossible(predicate: Predicate) -> bool:
    lows = [bound for bound in (predicate.gt, predicate.gte) if bound is not None]
    highs = [bound for bound in (predicate.lt, predicate.lte) if bound is not None]
    if not lows or not highs:
        return False
    low, high = max(lows), min(highs)
    return low > high or (low == high and (low == predicate.gt or high == predicate.lt))
