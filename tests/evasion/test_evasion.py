"""No way in the table brings an attack to the backend, or costs a harmless text its answer."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest
import zstandard
from evasion.guards import guard, marks
from evasion.pending import PENDING, PENDING_TWINS
from evasion.row import ATTACK, EVALUATED, HARMLESS, Row
from evasion.table import ROWS
from product.play import Request, Run, play

from srd.exchange.events import Pressure, Timer, TimerFired

_PACK = {"identity": bytes, "gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}
_OPEN = {"gzip": gzip.decompress, "zstd": lambda data: zstandard.decompress(data, 1 << 26)}


def _cases(pending: frozenset[str]) -> list[object]:
    cases = []
    for row in ROWS:
        for leaf in row.guards:
            name = f"{row.name}-{leaf}"
            waits = [pytest.mark.xfail(strict=True)] if name in pending else []
            cases.append(pytest.param(row, leaf, id=name, marks=waits))
    return cases


def _sent(row: Row, mode: str, coding: str, text: str) -> Request:
    body = _PACK[coding](row.body(text))
    headers = dict(row.headers)
    if coding != "identity":
        headers["content-encoding"] = coding.encode()
    rest = b""
    if mode == "prefix":
        body, rest = body[: len(body) // 2], body[len(body) // 2 :]
    whole = mode in ("buffered", "partial", "prefix")
    size = len(body) if whole else row.size
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    events = tuple(
        (index, Pressure() if name == "PRESSURE" else TimerFired(Timer[name]))
        for index, name in row.events
    )
    return Request(
        mode=mode,
        dialect="envoy",
        path=row.path,
        headers=tuple(headers.items()),
        pieces=pieces,
        rest=rest,
        trailers="send" if row.trailers else "none",
        answers=row.answers,
        events=events,
        scorer=marks,
    )


def _runs(row: Row, leaf: str, text: str) -> Iterator[tuple[str, Run]]:
    policy = guard(leaf, row.variant)
    for mode in row.modes:
        for coding in row.codings:
            yield f"{mode}, {coding}", play(policy, _sent(row, mode, coding, text))


def _status(run: Run) -> int | str:
    if run.error is not None:
        return f"broken: {run.error!r}"
    refused = run.gateway.refused
    return refused.status if refused is not None else "passed"


def _left(run: Run) -> bytes:
    """What the backend would read."""
    gateway = run.gateway
    coding = gateway.headers.get("content-encoding", b"").decode()
    data = bytes(gateway.left)
    return _OPEN[coding](data) if coding in _OPEN else data


@pytest.mark.parametrize(("row", "leaf"), _cases(PENDING))
def test_an_attack_is_blocked_or_refused_and_no_byte_of_it_leaves(row, leaf):
    wrong = []
    for where, run in _runs(row, leaf, ATTACK):
        if _status(run) not in row.expect or run.gateway.left:
            wrong.append(f"{where}: {_status(run)}, {len(run.gateway.left)} bytes left")
            continue
        answer = run.gateway.refused
        assert answer is not None
        if row.expect == EVALUATED:
            assert dict(answer.set_headers)["x-vsr-fast-response"] == b"true"
        else:
            error = json.loads(answer.body or b"")["error"]
            assert error["code"]
            assert ATTACK not in error["message"]
            assert "forbidden" not in error["message"]
    assert not wrong


@pytest.mark.parametrize(("row", "leaf"), _cases(PENDING_TWINS))
def test_a_harmless_text_passes_wherever_it_can_be_evaluated(row, leaf):
    wrong = []
    for where, run in _runs(row, leaf, HARMLESS):
        status = _status(run)
        passed = status == "passed" and run.gateway.clean and bool(_left(run))
        if not (passed if row.expect == EVALUATED else status in row.expect):
            wrong.append(f"{where}: {status}, {len(run.gateway.left)} bytes left")
    assert not wrong


def test_every_row_has_a_name_of_its_own_and_every_pending_one_a_row():
    names = [f"{row.name}-{leaf}" for row in ROWS for leaf in row.guards]
    assert len(set(names)) == len(names)
    assert set(names) >= PENDING | PENDING_TWINS
