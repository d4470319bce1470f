"""What a gateway shows that may show only the front of a body (BUFFERED_PARTIAL).

Why this file exists: whether it is all of it is said by the bytes alone, before anything is judged:
what was not seen cannot be edited, and what is packed cannot be edited in half. It must not know
what becomes of it.
"""

from __future__ import annotations

import enum

from srd.body.body import Body
from srd.body.inflate import InflateError, InflateLimit


class Prefix(enum.Enum):
    """What a body message holds."""

    WHOLE = "whole"  # the document, to its end
    NAMED = "named"  # its front, plain, with the model
    BLIND = "blind"  # a front that cannot be routed by


def look_ahead(ahead: Body, data: bytes, *, packed: bool) -> Prefix:
    """`ahead` is a body for this alone: evidence is judged step by step, and whether a name came,
    at once. BodyError: what is here is no JSON."""
    ahead.receive(data)
    try:
        ahead.read()
    except (InflateError, InflateLimit):
        return Prefix.BLIND
    if ahead.whole:
        return Prefix.WHOLE
    return Prefix.BLIND if packed or ahead.model is None else Prefix.NAMED
