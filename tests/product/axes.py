"""The axes of the product, as data, and which of their values exist together.

Why this file exists: what is tested is one table that a reader can check against the promise.
It must not know how a body is written, how a case is played or what is right.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

#: "partial" is BUFFERED_PARTIAL whose body fitted, "prefix" the same where only a prefix came.
#: "guard": a rule blocks and has no reason to, "attack": it has one. "tools": short turns with all
#: the size behind them; "picture": most of the size is one, in front of the question; "talk": a
#: conversation of several human turns.
AXES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "mode": ("duplex", "streamed", "buffered", "partial", "prefix"),
        "dialect": ("envoy", "agentgateway"),
        "trailers": ("none", "send", "skip"),  # skip: trailers come and nobody says so
        "encoding": (
            "", "gzip", "deflate", "raw deflate", "br", "zstd", "gzip, br", "identity, gzip",
            "GZIP",
        ),
        "size": ("tiny", "budget", "medium", "large", "huge"),
        "model": (
            "auto front", "auto behind", "named front", "named behind", "unknown front",
            "unknown behind", "absent", "null", "two names", "auto then named", "named then auto",
            "same twice", "blanks",
        ),
        "api": ("chat", "completions", "responses", "messages"),
        "cut": ("whole", "edges", "blocks", "random", "tokens"),
        "decision": (
            "scored", "memo", "timer", "deadline", "pressure", "fallback", "answer", "guard",
            "attack",
        ),
        "topic": ("plain", "thinks", "prompted", "default", "mixed", "held"),
        "setting": ("small", "never", "late", "inflate", "real"),
        "duplicate": ("none", "turns", "content"),
        "shape": ("text", "tools", "picture", "talk"),
    }
)  # fmt: skip

_USUAL = {
    "mode": "duplex", "encoding": "", "setting": "small", "duplicate": "none", "shape": "text",
}  # fmt: skip

#: Bytes of the inflated body, lowest and highest, per size; "budget" is around the small budget.
SIZES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "tiny": (300, 1500),
        "budget": (1700, 2500),
        "medium": (3000, 18_000),
        "large": (19_000, 70_000),
        "huge": (90_000, 250_000),
        "any": (300, 1_200_000),
        "small": (300, 6_000),
        "giant": (11_000_000, 12_000_000),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One point of the product. `seed` draws what the axes leave open."""

    mode: str
    dialect: str
    trailers: str
    encoding: str
    size: str
    model: str
    api: str
    cut: str
    decision: str
    topic: str
    setting: str
    duplicate: str
    shape: str
    seed: int = 0

    @property
    def guards(self) -> bool:
        """True where a rule blocks."""
        return self.decision in ("guard", "attack")

    def __str__(self) -> str:
        return "|".join([*(getattr(self, name) for name in AXES), str(self.seed)])

    @classmethod
    def parse(cls, text: str) -> Case:
        """The case that `str` wrote."""
        *values, seed = text.split("|")
        return cls(**dict(zip(AXES, values, strict=True)), seed=int(seed))


def feasible(values: Mapping[str, str]) -> bool:
    """True unless two of these values (any subset of the axes) never occur together."""
    mode, cut = values.get("mode"), values.get("cut")
    if mode == "streamed" and values.get("dialect") == "agentgateway":
        return False  # it has no such mode
    if mode == "duplex" and values.get("trailers") == "skip":
        return False  # both gateways send the trailers' message in this mode
    if mode in ("buffered", "partial", "prefix") and cut not in (None, "whole"):
        return False  # one message carries all that comes
    if mode == "partial" and values.get("trailers") in ("send", "skip"):
        return False  # without an end nobody can tell it from a prefix
    if values.get("duplicate") == "content" and values.get("api") == "completions":
        return False  # a prompt has no messages
    if values.get("shape") in ("picture", "talk") and values.get("api") == "completions":
        return False  # nor parts or turns
    # A fixed answer has a topic of its own.
    return not (values.get("decision") == "answer" and values.get("topic") not in (None, "plain"))


def draw(rng: random.Random, *, sizes: Sequence[str] = ("any",)) -> Case:
    """A feasible case, the usual value of an axis more often than each of the odd ones; the size
    log-uniform, from one of `sizes`."""
    while True:
        values = {name: rng.choice(choices) for name, choices in AXES.items()}
        values |= {name: usual for name, usual in _USUAL.items() if rng.random() < 0.35}
        values["size"] = rng.choice(sizes)
        if feasible(values):
            return Case(**values, seed=rng.randrange(1 << 32))
