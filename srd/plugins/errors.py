"""An answer of our own to the client, and the JSON error that most of them are.

Why this file exists: refusals, fixed answers and the model list leave through one value. It must
not know why something is refused, nor how the gateway is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SCHEMA_VERSION = ("x-vsr-schema-version", b"2")
JSON_TYPE = ("content-type", b"application/json")
#: Seconds after which a client may try again (as upstream).
RETRY_AFTER = 60

_ID = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class Immediate:
    """A complete response. `body` is valid UTF-8: AgentGateway reads it as a string. `error` is
    the object that a refusal's body holds, None in other answers. `reason` is for whoever watches,
    never for the client: a word, which labels a metric, or a word, a colon and what only the
    document names."""

    status: int
    headers: tuple[tuple[str, bytes], ...] = ()
    body: bytes = b""
    error: Mapping[str, object] | None = field(default=None, compare=False)
    reason: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return f"<Immediate {self.status} {len(self.body)} B>"

    def of_request(self, request_id: str, *, anthropic: bool = False) -> Immediate:
        """A refusal that names the request, for whoever looks for it in the logs: as `request_id`
        beside the error, and as `x-request-id`. Where the request has no id, or one that is not
        printable ASCII of at most 128 characters, it names none. `anthropic`: the envelope says
        `"type": "error"` as the Messages API has it. Any other answer stays as it is."""
        if self.error is None:
            return self
        known = bool(_ID.fullmatch(request_id))
        body: dict[str, object] = {"type": "error"} if anthropic else {}
        body["error"] = self.error
        headers = self.headers
        if known:
            body["request_id"] = request_id
            headers = (*headers, ("x-request-id", request_id.encode("ascii")))
        return replace(self, headers=headers, body=_dumped(body))


def _dumped(body: Mapping[str, object]) -> bytes:
    return json.dumps(body).encode("ascii")


def refusal(
    status: int,
    message: str,
    *,
    code: str = "",
    kind: str = "invalid_request_error",
    retry_after: int | None = None,
    reason: str = "",
) -> Immediate:
    """The JSON error as upstream writes it: `{"error": {"message", "type", "code"}}`.

    `code` "" is the status, as upstream. 429 is a `rate_limit_error` on the response path
    `rate_limited`. 429 and 503 say when to come back, in seconds (0: they do not). Any character is
    allowed in `message`; the body is ASCII. `reason` is Immediate's.
    """
    limited = status == 429
    error = {
        "message": message,
        "type": "rate_limit_error" if limited else kind,
        "code": code or status,
    }
    headers = [
        JSON_TYPE,
        SCHEMA_VERSION,
        ("x-vsr-response-path", b"rate_limited" if limited else b"error"),
    ]
    if status in (429, 503) or retry_after is not None:
        seconds = RETRY_AFTER if retry_after is None else retry_after
        if seconds:
            headers.append(("retry-after", b"%d" % seconds))
    return Immediate(status, tuple(headers), _dumped({"error": error}), error, reason)
