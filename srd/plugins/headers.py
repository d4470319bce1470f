"""What may stand in a header: names, values, and the names that are ours alone.

Why this file exists: every header that leaves srd passes through here, so that no text of a
document or of a request can end a header or forge another. It must not know which headers are set.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+\Z")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")

#: Request headers that only srd may set; a client's own copies are removed on every path.
SPOOFABLE_HEADERS: tuple[str, ...] = (
    "x-selected-model",
    "x-vsr-selected-model",
    "x-vsr-selected-decision",
    "x-vsr-selected-category",
    "x-vsr-selected-confidence",
    "x-vsr-selected-reasoning",
    "x-vsr-selected-algorithm",
    "x-vsr-selected-modality",
    "x-vsr-selected-recipe",
    "x-vsr-decision-basis",
    "x-vsr-internal-auth",
    "x-vsr-looper-request",
    "x-vsr-looper-iteration",
    "x-vsr-looper-decision",
    "x-vsr-fusion-depth",
)
#: The same by prefix, for names that upstream may yet add.
SPOOFABLE_PREFIXES: tuple[str, ...] = ("x-vsr-selected-", "x-vsr-looper-")

#: Keys that users bring for a provider of their own (upstream's names). srd makes a credential of
#: none, so they could only reach whichever backend was chosen: they are removed on every path.
CREDENTIAL_HEADERS: frozenset[str] = frozenset(
    f"x-user-{provider}-key"
    for provider in (
        "anthropic",
        "azure-openai",
        "bedrock",
        "gemini",
        "minimax",
        "openai",
        "vertex-ai",
    )
)

#: Headers that decide where a request goes or where its body ends: never an operator's to change.
_FORBIDDEN = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_FORBIDDEN_PREFIXES = (":", "x-envoy-")


def is_ours_to_set(name: str) -> bool:
    """True for a request header that only srd may set. `name` is in lower case."""
    return name in SPOOFABLE_HEADERS or name.startswith(SPOOFABLE_PREFIXES)


def header_value(text: str) -> bytes:
    """A value that every gateway takes. O(len(text)).

    Control characters become one space; anything outside ASCII is percent-encoded as UTF-8.
    """
    clean = _CONTROLS.sub(" ", text).strip()
    if clean.isascii():
        return clean.encode("ascii")
    return "".join(c if c.isascii() else _percent(c) for c in clean).encode("ascii")


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))


def header_name(name: str) -> str | None:
    """The name in lower case, or None when a configured mutation must not touch it."""
    lowered = name.strip().lower()
    if lowered in _FORBIDDEN or lowered.startswith(_FORBIDDEN_PREFIXES):
        return None
    return lowered if _TOKEN.match(lowered) else None
