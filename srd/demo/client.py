"""A client that times the first byte of an answer.

Why this file exists: the demo compares listeners by what a caller sees, to a fraction of a
millisecond, so it sends on a connection that is already open. It must not know what it asks.
"""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `first_byte_ms` runs from sending the first byte to the answer's head.

    Header names are lower-case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    first_byte_ms: float

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<Answer {self.status} {len(self.body)}B {self.first_byte_ms:.1f}ms>"


class Client:
    """One kept-alive connection to 127.0.0.1:port."""

    def __init__(self, port: int, *, timeout: float = 60.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def __repr__(self) -> str:
        return f"<Client 127.0.0.1:{self._connection.port}>"

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read its whole answer; an iterable body is sent in chunked coding.

        Raises OSError or http.client.HTTPException when the connection or the answer breaks.
        """
        if self._connection.sock is None:
            self._connection.connect()
        started = time.perf_counter()
        self._connection.request(
            method, path, body, dict(headers or {}), encode_chunked=_is_stream(body)
        )
        answer = self._connection.getresponse()
        first_byte_ms = (time.perf_counter() - started) * 1000
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, names, answer.read(), first_byte_ms)

    def chat(
        self,
        document: Mapping[str, Any] | bytes | Iterable[bytes],
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST a chat completion request; bytes are sent as they are."""
        body: Any = document
        if isinstance(document, dict):
            body = json.dumps(document, ensure_ascii=False).encode()
        names = {"content-type": "application/json", **(headers or {})}
        if _is_stream(body):
            names["transfer-encoding"] = "chunked"
        return self.request("POST", "/v1/chat/completions", body, names)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _is_stream(body: object) -> bool:
    return body is not None and not isinstance(body, bytes)
