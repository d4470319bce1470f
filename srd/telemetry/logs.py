"""Log lines: JSON for machines, text for a terminal, the same facts in both.

Why this file exists: one place decides what may be in a line. No prompt, no key, no header value
ever is: lines carry names, counts and ids. Repeats of a warning are limited, so that a broken
gateway cannot fill a disk. It must not know what is being logged beyond its fields.
"""

from __future__ import annotations

import contextvars
import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any

from srd.telemetry.record import ExchangeRecord
from srd.telemetry.tracing import trace_id

#: The exchange that the running task serves; its ids go on every line.
current: contextvars.ContextVar[ExchangeRecord | None] = contextvars.ContextVar(
    "exchange", default=None
)

REPEATS, PERIOD_SECONDS = 10, 10.0


class RateLimit(logging.Filter):
    """At most REPEATS warnings or errors of one template each PERIOD_SECONDS; the next line that
    passes says how many were left out."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        key = (record.name, str(record.msg))
        now = time.monotonic()
        window = self._seen.setdefault(key, [now, 0, 0])  # start, passed, left out
        if now - window[0] > PERIOD_SECONDS:
            record.suppressed = int(window[2])
            window[:] = [now, 0, 0]
        window[1] += 1
        if window[1] > REPEATS:
            window[2] += 1
            return False
        if len(self._seen) > 1000:
            self._seen.clear()
        return True


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Everything a line says, in order."""
    said: dict[str, Any] = {
        "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "component": record.name,
        "msg": record.getMessage(),
    }
    exchange = current.get()
    if exchange is not None:
        if exchange.request_id:
            said["request_id"] = exchange.request_id
        if found := trace_id(exchange):
            said["trace_id"] = found
    said |= getattr(record, "fields", {})
    if suppressed := getattr(record, "suppressed", 0):
        said["suppressed"] = suppressed
    if record.exc_info and record.exc_info[0] is not None:
        # The exception's own words may quote what a client sent: its type and place suffice.
        said["error"] = record.exc_info[0].__name__
        said["at"] = _place(record)
    return said


def _place(record: logging.LogRecord) -> str:
    step = record.exc_info[2] if record.exc_info else None
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    if step is None:
        return ""
    return f"{step.tb_frame.f_code.co_filename.rpartition('/')[2]}:{step.tb_lineno}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(fields_of(record), ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """Time, level, message, then name=value pairs."""

    def format(self, record: logging.LogRecord) -> str:
        said = fields_of(record)
        head = f"{said.pop('ts')[11:23]} {said.pop('level'):7} {_line(said.pop('msg'))}"
        said.pop("component")
        return " ".join([head, *(f"{n}={_plain(v)}" for n, v in said.items() if v != "")])


def _line(message: str) -> str:
    return message if message.isprintable() else json.dumps(message)


def _plain(value: object) -> str:
    """A value as one word: what a client chose must not begin a line of its own."""
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


def setup_logging(log_format: str, level: str) -> None:
    """One handler on stderr. "auto": text on a terminal, JSON lines otherwise.

    Libraries below us log at warning, whatever our level: at debug they would quote what passes.
    """
    handler = logging.StreamHandler(sys.stderr)
    text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    handler.addFilter(RateLimit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("srd").setLevel(level.upper())
