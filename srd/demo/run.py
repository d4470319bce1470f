"""The demo itself: start the three parts, ask, measure, stop.

Why this file exists: `srd demo` is this in a loop with a table behind it. It must not take any fact
from anywhere but the answers that came through Envoy.
"""

from __future__ import annotations

import contextlib
import http.client
import shlex
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from srd.backend import BackgroundBackend
from srd.demo.client import Answer, Client
from srd.demo.envoy import LISTENERS, Envoy, EnvoyConfig
from srd.demo.serve import Srd
from srd.demo.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from srd.demo.prompts import Case

PAIRS: Final = 5
_USED: Final = ("buffered", "duplex", "plain")
_ASK: Final = {"x-vsr-debug": "true", "x-backend-echo": "1"}

GUIDE_BODY: Final = """{
"model": "auto",
"messages": [
{"role": "user", "content": "What is the derivative of f(x) = x^3?"}
],
"max_tokens": 64,
"temperature": 0
}"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case's row, and what was wrong with its answer ("" when nothing)."""

    row: Row
    problem: str = ""


class Stage:
    """The running parts. Entering starts them in order, leaving stops them in reverse."""

    def __init__(self, config: Path | None = None) -> None:
        self.backend = BackgroundBackend()
        self.srd = Srd(config)
        self._stack = contextlib.ExitStack()
        self._clients: dict[str, Client] = {}
        self._envoy: Envoy | None = None

    @property
    def envoy(self) -> Envoy:
        """The running Envoy. Raises RuntimeError before the stage is entered."""
        if self._envoy is None:
            raise RuntimeError("the stage is not entered")
        return self._envoy

    def __repr__(self) -> str:
        return f"<Stage {self.backend!r} {self.srd!r} {self._envoy!r}>"

    def __enter__(self) -> Self:
        """Start all. Raises StartError when a part does not become ready; nothing is left then."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.backend)
            stack.enter_context(self.srd)
            config = EnvoyConfig(
                processor=self.srd.address,
                backend=f"127.0.0.1:{self.backend.port}",
                listeners=tuple(item for item in LISTENERS if item.name in _USED),
            )
            self._envoy = stack.enter_context(Envoy(config))
            for name in _USED:
                self._clients[name] = stack.enter_context(Client(self._envoy.ports[name]))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def run(self, cases: Iterable[Case], *, pairs: int = PAIRS) -> Iterator[Outcome]:
        """Ask each case once and then in pairs against the plain listener; yield as they finish."""
        for index, case in enumerate(cases):
            answer = self._ask(case.listener, case.body())
            added = self._added_ms(case, index, pairs)
            yield Outcome(_row(case, answer, added), _problem(answer))

    def _ask(self, listener: str, body: bytes) -> Answer:
        return self._clients[listener].chat(body, _ASK)

    def _added_ms(self, case: Case, index: int, pairs: int) -> float | None:
        """Median difference in first byte between routed and plain; None when an answer broke.

        Every prompt is salted at its front, so no cache and no memo answers for the classifier.
        """
        differences = []
        for pair in range(pairs):
            salt = f"({index}.{pair}) "
            try:
                routed = self._ask(case.listener, case.body(salt=salt))
                plain = self._ask("plain", case.body(model="base-model", salt=salt))
            except (OSError, http.client.HTTPException):
                return None
            differences.append(routed.first_byte_ms - plain.first_byte_ms)
        return statistics.median(differences) if differences else None

    def curl(self, listener: str = "duplex") -> str:
        """Return the guide's request as a command line for this stage."""
        return (
            f"curl -i -X POST {self.envoy.url(listener)}/v1/chat/completions \\\n"
            f'-H "Content-Type: application/json" \\\n'
            f"-d {shlex.quote(GUIDE_BODY)}"
        )


def _row(case: Case, answer: Answer, added: float | None) -> Row:
    headers = answer.headers
    read = headers.get("x-vsr-decision-bytes", "").partition("/")[0]
    return Row(
        prompt=case.question,
        mode=case.listener + (" sse" if case.stream else ""),
        category=headers.get("x-vsr-selected-category", ""),
        confidence=headers.get("x-vsr-selected-confidence", ""),
        decision=headers.get("x-vsr-selected-decision", ""),
        model=headers.get("x-backend-model", ""),
        basis=headers.get("x-vsr-decision-basis", ""),
        bytes_read=int(read) if read.isdecimal() else None,
        bytes_total=len(case.body()),
        ms_added=added,
    )


def _problem(answer: Answer) -> str:
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:200].decode(errors='replace')}"
    if "x-vsr-selected-model" not in answer.headers:
        return "the answer carries no decision"
    selected, received = answer.headers["x-vsr-selected-model"], answer.headers["x-backend-model"]
    if selected != received:
        return f"srd says {selected}, the backend received {received}"
    return ""
