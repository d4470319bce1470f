"""The demo backend: which request gets which answer, and the record of what came.

Why this file exists: it is what stands behind the gateway in `srd demo` and in the tests. It must
not know about `srd` beyond the shape of an OpenAI request.

Request headers that change the answer (all optional):
  x-backend-echo: 1           add x-backend-model, x-backend-bytes, x-backend-sha256, x-backend-path
  x-backend-echo: body        the same, and answer a JSON document of what arrived instead
  x-backend-chunk-delay-ms    pause before each event of a stream
  x-backend-abort-after       reset the connection after that many events of a stream
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from srd.backend import answers
from srd.backend.http import (
    MAX_HEAD_BYTES,
    READ_BYTES,
    AbortResponse,
    BadRequestError,
    RequestHead,
    Response,
    read_body,
    read_head,
    write_response,
)
from srd.backend.intake import Intake, Received

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

LOG_LENGTH = 256
_LINGER_SECONDS = 1.0
_EVENT_STREAM = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is served where. The names are those of the AgentGateway guide's demo backend."""

    host: str = "127.0.0.1"
    port: int = 0
    base_model: str = "base-model"
    adapters: tuple[str, ...] = (
        "science-expert",
        "social-expert",
        "math-expert",
        "law-expert",
        "humanities-expert",
        "general-expert",
    )
    chunk_delay_ms: float = 0.0
    abort_after: int | None = None


class Backend:
    """An OpenAI-compatible server on one event loop.

    `received` holds the last LOG_LENGTH requests, broken uploads (`complete` is False) included.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.received: collections.deque[Received] = collections.deque(maxlen=LOG_LENGTH)
        self._counts: collections.Counter[tuple[str, int]] = collections.Counter()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        where = self.url if self._server is not None else "stopped"
        return f"<Backend {where} models={len(self.models)} received={self._counts.total()}>"

    @property
    def models(self) -> tuple[str, ...]:
        """Every name that is answered; any other gets 404."""
        return (self.settings.base_model, *self.settings.adapters)

    @property
    def port(self) -> int:
        """The port listened on. Raises RuntimeError before start()."""
        if self._server is None:
            raise RuntimeError("the backend is not started")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Origin, such as http://127.0.0.1:8000."""
        return f"http://{self.settings.host}:{self.port}"

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        self._server = await asyncio.start_server(
            self._connection, self.settings.host, self.settings.port, limit=MAX_HEAD_BYTES
        )

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            while await self._exchange(reader, writer):
                pass
        except AbortResponse:
            writer.transport.abort()
        except BadRequestError as bad:
            with contextlib.suppress(ConnectionError, TimeoutError):
                await _refuse(reader, writer, bad)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the peer left, or stop() cut us: either way nobody is left to tell
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; return whether the connection can carry another."""
        head = await read_head(reader)
        if head is None:
            return False
        intake = Intake()
        about = (head.method, head.path, head.headers)
        if head.headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async for piece in read_body(head, reader):
                intake.feed(piece)
        except (BadRequestError, ConnectionError):
            self.received.append(intake.finish(*about, complete=False))
            raise
        record = intake.finish(*about)
        self.received.append(record)
        response = self._answer(head, record)
        self._counts[(self._metric_path(head.path), response.status)] += 1
        await write_response(
            writer, response, head_only=head.method == "HEAD", keep_alive=head.keeps_alive
        )
        return head.keeps_alive

    def _answer(self, head: RequestHead, record: Received) -> Response:
        response = self._plain_answer(head, record)
        echo = head.headers.get("x-backend-echo")
        if echo is None:
            return response
        body = response.body
        if echo == "body":
            body = answers.to_json(_echo_document(record, response))
        return Response(
            response.status,
            body,
            {**response.headers, **_echo_headers(record)},
            "application/json" if echo == "body" else response.content_type,
        )

    def _plain_answer(self, head: RequestHead, record: Received) -> Response:
        if head.method in ("GET", "HEAD"):
            return self._page(head.path)
        shape = answers.SHAPES.get(head.path)
        if shape is None:
            return _json(404, {"detail": "Not Found"})
        if head.method != "POST":
            return _json(405, {"detail": "Method Not Allowed"})
        if record.fields is None:
            problem = answers.error("The body is not a JSON object.", "BadRequestError", 400)
            return _json(400, problem)
        # vLLM answers for its first served name when the request names none.
        model = record.fields.get("model", self.settings.base_model)
        if model not in self.models:
            return _json(404, answers.model_not_found(str(model)))
        reply = answers.compose(
            record.fields,
            model=model,
            size=record.size,
            request_id=head.headers.get("x-request-id"),
        )
        if record.fields.get("stream") is True:
            return Response(200, self._paced(head, shape.events(reply)), {}, _EVENT_STREAM)
        return _json(200, shape.document(reply))

    async def _paced(self, head: RequestHead, events: Iterator[bytes]) -> AsyncIterator[bytes]:
        delay = _number(head, "x-backend-chunk-delay-ms", self.settings.chunk_delay_ms)
        abort_after = _number(head, "x-backend-abort-after", self.settings.abort_after)
        for sent, event in enumerate(events):
            if abort_after is not None and sent >= abort_after:
                raise AbortResponse
            if delay:
                await asyncio.sleep(delay / 1000)
            yield event

    def _page(self, path: str) -> Response:
        if path in ("/health", "/ready", "/ping"):
            return Response(200)
        if path == "/v1/models":
            return _json(200, answers.model_list(self.settings.base_model, self.settings.adapters))
        if path == "/metrics":
            return Response(200, self._metrics(), content_type="text/plain; version=0.0.4")
        return _json(404, {"detail": "Not Found"})

    @staticmethod
    def _metric_path(path: str) -> str:
        """Return a label from a fixed set, so that a scanner cannot fill the metrics."""
        known = (*answers.SHAPES, "/v1/models", "/health", "/ready", "/ping", "/metrics")
        return path if path in known else "other"

    def _metrics(self) -> bytes:
        name = "srd_backend_requests_total"
        lines = [f"# HELP {name} Requests answered.", f"# TYPE {name} counter"]
        for (path, status), count in sorted(self._counts.items()):
            lines.append(f'{name}{{path="{path}",status="{status}"}} {count}')
        return ("\n".join(lines) + "\n").encode()


async def _refuse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bad: BadRequestError
) -> None:
    """Answer an error and linger: closing with unread input would reset the answer away."""
    body = json.dumps(answers.error(str(bad), "BadRequestError", bad.status)).encode()
    await write_response(writer, Response(bad.status, body), head_only=False, keep_alive=False)
    writer.write_eof()
    async with asyncio.timeout(_LINGER_SECONDS):
        while await reader.read(READ_BYTES):
            pass


def _json(status: int, document: dict[str, Any]) -> Response:
    return Response(status, answers.to_json(document))


def _number(head: RequestHead, name: str, default: float | None) -> float | None:
    try:
        return float(head.headers[name])
    except (KeyError, ValueError):
        return default


def _echo_headers(record: Received) -> dict[str, str]:
    # A header value is one line of Latin-1; a model name from a hostile body may be neither.
    model = "" if record.model is None else json.dumps(record.model)[1:-1]
    return {
        "x-backend-model": model,
        "x-backend-bytes": str(record.size),
        "x-backend-sha256": record.sha256,
        "x-backend-path": record.path,
    }


def _echo_document(record: Received, response: Response) -> dict[str, Any]:
    try:
        body = record.json()
    except (ValueError, RecursionError):
        body = None
    return {
        "model": record.model,
        "method": record.method,
        "path": record.path,
        "bytes": record.size,
        "sha256": record.sha256,
        "headers": dict(record.headers),
        "body": body,
        "traceparent": record.traceparent,
        "status": response.status,
        "first_byte_at": record.first_byte_at,
        "last_byte_at": record.last_byte_at,
    }


class BackgroundBackend:
    """A Backend on a thread and loop of its own, for callers without a loop (tests, benchmarks)."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.backend = Backend(settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="demo-backend", daemon=True
        )

    def __repr__(self) -> str:
        return f"<BackgroundBackend {self.backend!r}>"

    @property
    def port(self) -> int:
        """The port listened on."""
        return self.backend.port

    @property
    def url(self) -> str:
        """Origin, such as http://127.0.0.1:8000."""
        return self.backend.url

    @property
    def received(self) -> tuple[Received, ...]:
        """The requests so far, oldest first, the last LOG_LENGTH of them."""
        return tuple(self.backend.received)

    @property
    def last(self) -> Received:
        """The newest request. Raises IndexError when none came."""
        return self.backend.received[-1]

    def start(self) -> None:
        """Start the thread and listen; returns when connections are accepted."""
        self._thread.start()
        self._call(self.backend.start())

    def stop(self) -> None:
        """Stop and join the thread."""
        self._call(self.backend.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
