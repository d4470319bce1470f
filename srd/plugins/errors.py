"""An answer of our own to the client, and the JSON error that most of them are.

Why this file exists: refusals, fixed answers and the model list leave through one value. It must
not know why something is refused, nor how the gateway is told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

SCHEMA_VERSION = ("x-vsr-schema-version", b"2")
JSON_TYPE = ("content-type", b"application/json")
#: Seconds after which a client may try again (as upstream).
RETRY_AFTER = 60


@dataclass(frozen=True, slots=True)
class Immediate:
    """A complete response. `body` is valid UTF-8: AgentGateway reads it as a string."""

    status: int
    headers: tuple[tuple[str, bytes], ...] = ()
    body: bytes = b""

    def __repr__(self) -> str:
        return f"<Immediate {self.status} {len(self.body)} B>"


def refusal(status: int, message: str, *, retry_after: int | None = None) -> Immediate:
    """The JSON error as upstream writes it: `{"error": {"message", "type", "code"}}`.

    429 is a `rate_limit_error` on the response path `rate_limited`. 429 and 503 say when to come
    back, in seconds. Any character is allowed in `message`; the body is ASCII.
    """
    limited = status == 429
    body = {
        "error": {
            "message": message,
            "type": "rate_limit_error" if limited else "invalid_request_error",
            "code": status,
        }
    }
    headers = [
        JSON_TYPE,
        SCHEMA_VERSION,
        ("x-vsr-response-path", b"rate_limited" if limited else b"error"),
    ]
    if status in (429, 503) or retry_after is not None:
        seconds = RETRY_AFTER if retry_after is None else retry_after
        headers.append(("retry-after", b"%d" % seconds))
    return Immediate(status, tuple(headers), json.dumps(body).encode("ascii"))
