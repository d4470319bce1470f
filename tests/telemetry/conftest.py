from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from playbook import CONFIG, Playbook, body, by_words, headers, policy_of, response_headers

from srd.exchange.events import BodyMode
from srd.exchange.policy import Policy
from srd.telemetry.metrics import Metrics
from srd.telemetry.record import ClassifierRun, ExchangeRecord

MATH = b'{"model":"auto","messages":[{"role":"user","content":"the derivative of x^3?"}]}'


@pytest.fixture(scope="session")
def policy():
    return policy_of(CONFIG.replace("budget_bytes", "memo: {enabled: false}, budget_bytes"))


@pytest.fixture
def daemon(policy) -> SimpleNamespace:
    """As much of a daemon as metrics read."""
    service = SimpleNamespace(
        policy=policy,
        classifier=None,
        observer=None,
        open_streams=2,
        held_bytes=300,
        pressure_events=0,
        refused_streams=0,
    )
    return SimpleNamespace(state="ready", reloads={"ok": 1, "failed": 0}, service=service)


@pytest.fixture
def metrics(daemon) -> Metrics:
    return Metrics(daemon)


@pytest.fixture
def exchange(policy) -> Callable[..., tuple[ExchangeRecord, dict[str, str]]]:
    """Run one exchange through the machine; its record, and the response headers it set."""

    def run(
        raw: bytes = MATH,
        *,
        extra: dict[str, str] | None = None,
        metadata: dict[str, str] | None = None,
        scorer=by_words,
        about: Policy | None = None,
    ) -> tuple[ExchangeRecord, dict[str, str]]:
        play = Playbook(about or policy, response_mode=BodyMode.NONE, scorer=scorer)
        play >> headers(extra=extra)
        play.take()
        play >> body(raw, end=True)
        play.take()
        now = time.perf_counter()
        record = ExchangeRecord(
            opened_at=now, opened_unix_ns=time.time_ns(), metadata=metadata or {}
        )
        record.facts = play.exchange.request.facts
        record.request_mode = "full_duplex_streamed"
        record.headers_at, record.first_byte_at = now, now + 0.001
        record.evidence_at, record.decided_at = now + 0.002, now + 0.004
        record.replied_at, record.ended_at = now + 0.005, now + 0.2
        record.bytes_in = len(raw)
        record.runs.append(ClassifierRun(64, ("domain",), now + 0.002, now + 0.003, "encoder", 9))
        record.decision = play.made.decided[-1].decision if play.made.decided else None
        record.outcome = "ok"
        play >> response_headers(200)
        return record, {k: v.decode() for reply in play.take() for k, v in reply.set_headers}

    return run
