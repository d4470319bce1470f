"""The few types that every part of the document is made of.

Why this file exists: the parts (providers, routing, signals, ...) are plain frozen structs; how a
value may be written in YAML is said once, here, as an annotation. It must not know how a document
is read.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

__all__ = [
    "Fraction",
    "Name",
    "NotNegative",
    "Opaque",
    "OpenPart",
    "Part",
    "Positive",
    "Scope",
    "TokenCount",
    "Word",
]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping of the document; attributes are its keys, defaults are upstream's unless said."""


class OpenPart(Part, frozen=True, kw_only=True):
    """A mapping of an upstream feature whose complete list of keys we do not have.

    The keys named are checked, and so are slips of them; other keys are let through unread.
    """


#: A name that others refer to: not empty.
Name = Annotated[str, msgspec.Meta(min_length=1)]

#: Text for which a bare number or true/false is taken as written: `- 404` is the word "404".
Word = Annotated[str, msgspec.Meta(extra={"word": True})]

#: A number of tokens, written `0`, `8192`, `"32K"` or `1.5M` (K is 1000, as upstream).
TokenCount = Annotated[int, msgspec.Meta(ge=0, extra={"tokens": True})]

#: A probability, a similarity, a share.
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]

#: A block of a feature that srd does not have; kept as written, never looked into.
Opaque = Mapping[str, Any]

#: How much of the body a signal needs: a deterministic window of the prompt, or all of it.
Scope = Literal["window", "full"]
