"""What a client's request is: a path, headers and a body, from the turns of a human.

Why this file exists: every builder answers in the same terms, and every test can ask any of them.
It must not know srd.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import brotli
import zstandard

Api = Literal["chat", "responses", "messages"]
Coding = Literal["gzip", "zstd", "br"]
PATHS: dict[Api, str] = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it leaves a client. `headers` have neither a length nor pseudo-headers."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def plain(self) -> bytes:
        """The body without its compression."""
        coding = dict(self.headers).get("content-encoding", "")
        if coding == "gzip":
            return gzip.decompress(self.body)
        if coding == "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(self.body)
        if coding == "br":
            return brotli.decompress(self.body)
        return self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Characters of what a client puts around the human's words."""

    notes: int = 6_000
    tools: int = 64_000
    system: int = 14_000
    files: int = 9_000
    result: int = 5_000
    answer: int = 900
    context: int = 4_000
    picture: int = 1_500_000


SMALL = Sizes(
    notes=900, tools=4_000, system=1_500, files=1_200, result=700, answer=200, picture=20_000
)


@dataclass(slots=True)
class Ask:
    """What a builder is asked for: the human's turns so far, and where the agent stands.

    `loop`: calls of tools with their results behind the last turn (an agent at work). `sealed`: the
    answers carry state that binds the conversation to a model, where the client's do.
    """

    turns: Sequence[str]
    loop: int = 0
    sizes: Sizes = field(default_factory=Sizes)
    seed: int = 0
    sealed: bool = True
    model: str = "auto"

    @property
    def rng(self) -> random.Random:
        return random.Random(f"client {self.seed}")


class Builder(Protocol):
    """Makes one client's request."""

    def __call__(self, ask: Ask) -> Sent: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One row of the table.

    `agent`: it calls tools, so `loop` means something. `helper`: a program's own request about a
    conversation, of which only the last human line is asked for. `picture`: most of it is one.
    `pasted`: the human's own message holds more than his question.
    """

    name: str
    api: Api
    build: Builder
    agent: bool = False
    helper: bool = False
    picture: bool = False
    pasted: bool = False

    def __repr__(self) -> str:
        return self.name

    def request(
        self,
        *turns: str,
        loop: int = 0,
        sizes: Sizes | None = None,
        seed: int = 0,
        sealed: bool = True,
    ) -> Sent:
        """The request at the last of these turns."""
        return self.build(Ask(turns, loop, sizes or Sizes(), seed, sealed))


def compact(members: dict[str, object]) -> bytes:
    """JSON as the SDKs write it."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def post(path: str, body: bytes, *headers: tuple[str, str]) -> Sent:
    """A plain JSON request."""
    return Sent(path, (("content-type", "application/json"), *headers), body)


def packed(sent: Sent, coding: Coding) -> Sent:
    """The same request, compressed."""
    pack: dict[Coding, Callable[[bytes], bytes]] = {
        "gzip": lambda data: gzip.compress(data, mtime=0),
        "zstd": zstandard.ZstdCompressor().compress,
        "br": lambda data: brotli.compress(data, quality=4),
    }
    return Sent(sent.path, (*sent.headers, ("content-encoding", coding)), pack[coding](sent.body))
