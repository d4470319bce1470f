"""The corpus, the rewrites, and the ways to send a body, as fixtures and as test parameters."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from srd.body.body import Api, Body, BodyError
from srd.body.rewrite import Rewrite, SystemPrompt


def _load(path: str) -> ModuleType:
    """A module of tests/ that is no test: by path, because test folders are no packages."""
    name = "srd_tests_" + path.replace("/", "_")
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent.parent / f"{path}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


CORPUS = _load("corpus/bodies")

REWRITES = {
    "model": Rewrite(model="math-expert"),
    "odd model": Rewrite(model='a"b\\c\n\u00e9'),
    "drop": Rewrite(model="m", drop=frozenset({"user", "seed", "stream"})),
    "drop without model": Rewrite(drop=frozenset({"user", "model", "messages"})),
    "keep only": Rewrite(model="m", keep_only=frozenset({"model", "messages", "n"})),
    "set": Rewrite(
        model="m",
        set_members={"stream": b"true", "stream_options": b'{"include_usage":true}'},
    ),
    "merge": Rewrite(
        model="m",
        drop=frozenset({"reasoning_effort"}),
        merge={"chat_template_kwargs": {"enable_thinking": b"true", "thinking": None}},
    ),
    "merge of nothing": Rewrite(
        model="m", merge={"chat_template_kwargs": {"x": None, "thinking": None}}
    ),
    "cap": Rewrite(model="m", cap={"max_tokens": 50, "n": 1}),
    "insert prompt": Rewrite(model="m", system_prompt=SystemPrompt('Say "please".\n', "insert")),
    "replace prompt": Rewrite(model="m", system_prompt=SystemPrompt("Be brief.", "replace")),
    "all": Rewrite(
        model="m",
        drop=frozenset({"user", "seed"}),
        set_members={"stream": b"true"},
        merge={"chat_template_kwargs": {"thinking": b"1"}},
        cap={"max_tokens": 50},
        system_prompt=SystemPrompt("Be brief.", "insert"),
    ),
}


@pytest.fixture(params=CORPUS.ALL, ids=repr)
def case(request: pytest.FixtureRequest) -> Any:
    """Every body of the corpus."""
    return request.param


@pytest.fixture(params=CORPUS.VALID, ids=repr)
def valid_case(request: pytest.FixtureRequest) -> Any:
    """Every valid body of the corpus."""
    return request.param


@pytest.fixture(params=CORPUS.INVALID, ids=repr)
def invalid_case(request: pytest.FixtureRequest) -> Any:
    """Every invalid body of the corpus."""
    return request.param


@pytest.fixture(scope="session")
def rewrites() -> dict[str, Rewrite]:
    """Rewrites of every kind, by name."""
    return REWRITES


class Sender:
    """Sends bodies in pieces. `error` is the BodyError before a commit, as (offset, problem)."""

    def open(self, case: Any, **options: Any) -> Body:
        return Body(Api(case.api), **options)

    def chat(self, *pieces: bytes, end: bool = True, **options: Any) -> Body:
        """A chat body that has been read and not committed."""
        body = Body(Api.CHAT, **options)
        for index, piece in enumerate(pieces):
            body.receive(piece, end=end and index == len(pieces) - 1)
            body.read()
        return body

    def send(self, case: Any, pieces: list[bytes], rewrite: Rewrite, commit: int) -> bytes:
        """The output when the commit comes before piece number `commit`."""
        return self.sent(case, pieces, rewrite, commit)[0]

    def sent(
        self, case: Any, pieces: list[bytes], rewrite: Rewrite, commit: int
    ) -> tuple[bytes, Body]:
        body = self.open(case)
        out = []
        for index, piece in enumerate(pieces):
            end = index == len(pieces) - 1
            if index == commit:
                out.append(body.commit(rewrite).data)
            if index >= commit:
                out.append(body.flow(piece, end=end))
            else:
                body.receive(piece, end=end)
                with contextlib.suppress(BodyError):
                    body.read()
        if commit >= len(pieces):
            out.append(body.commit(rewrite).data)
        return b"".join(out), body

    def tail(self, case: Any, pieces: list[bytes], rewrite: Rewrite) -> tuple[bytes, Body]:
        body = self.open(case)
        out = [body.commit_tail(rewrite)]
        out += [body.flow(piece, end=i == len(pieces) - 1) for i, piece in enumerate(pieces)]
        out.append(body.settle_tail(rewrite))
        return b"".join(out), body

    def read(self, case: Any, pieces: list[bytes]) -> tuple[Body, tuple[int, str] | None]:
        body = self.open(case)
        try:
            for index, piece in enumerate(pieces):
                body.receive(piece, end=index == len(pieces) - 1)
                body.read()
        except BodyError as error:
            return body, (error.offset, error.problem)
        return body, None

    def evidence(self, body: Body) -> tuple[object, ...]:
        """All that a body says of itself."""
        prompt = body.prompt
        return (
            body.model,
            dict(body.params),
            dict(body.metadata),
            body.facts,
            prompt.has_messages,
            prompt.first_user,
            prompt.first_user_done,
            prompt.last_user,
            prompt.prior_user,
            prompt.non_user,
            prompt.truncated,
            prompt.duplicates,
            prompt.spoken(),
            prompt.segments(),
            prompt.turns_end,
            prompt.bound,
            prompt.hidden,
            body.known_at_turns,
            body.notes,
        )


@pytest.fixture(scope="session")
def sender() -> Sender:
    return Sender()
