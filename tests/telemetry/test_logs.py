from __future__ import annotations

import json
import logging

from srd.telemetry.logs import REPEATS, JsonFormatter, RateLimit, TextFormatter, current


def line(message: str = "hello", level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("srd.test", level, __file__, 1, message, (), None)
    for key, value in extra.items():
        setattr(record, key, value)
    return record


def test_a_line_is_one_json_object_with_its_fields():
    said = json.loads(JsonFormatter().format(line(fields={"event": "e", "n": 1})))
    assert said["msg"] == "hello"
    assert said["level"] == "info"
    assert said["component"] == "srd.test"
    assert (said["event"], said["n"]) == ("e", 1)


def test_every_line_of_an_exchange_carries_its_ids(exchange):
    record, _ = exchange(metadata={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    token = current.set(record)
    try:
        said = json.loads(JsonFormatter().format(line()))
    finally:
        current.reset(token)
    assert said["request_id"] == "r-1"
    assert said["trace_id"] == "ab" * 16


def test_an_exception_says_its_type_and_place_and_not_its_words():
    try:
        raise ValueError("the client's secret")
    except ValueError as error:
        record = line(exc_info=(ValueError, error, error.__traceback__))
    for formatter in (JsonFormatter(), TextFormatter()):
        said = formatter.format(record)
        assert "ValueError" in said
        assert "test_logs.py" in said
        assert "secret" not in said


def test_repeats_of_a_warning_are_left_out_and_information_is_not():
    limit = RateLimit()
    passed = [limit.filter(line("broken", logging.WARNING)) for _ in range(REPEATS + 5)]
    assert passed == [True] * REPEATS + [False] * 5
    assert all(limit.filter(line("fine")) for _ in range(REPEATS + 5))
    assert limit.filter(line("another", logging.WARNING))


def test_what_a_client_chose_cannot_begin_a_line_of_its_own():
    said = TextFormatter().format(line("a\nb", fields={"original_model": "x\nforged level=error"}))
    assert "\n" not in said
    assert r'original_model="x\nforged level=error"' in said
