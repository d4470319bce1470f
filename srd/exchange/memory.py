"""What one request knows from earlier ones: the decision that its evidence led to before.

Why this file exists: what makes two pieces of evidence equal, and what of a deliberation is worth
keeping, is one job. It must not know bodies, nor when somebody looks at them.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

from srd.decide.decision import Basis, Decision
from srd.exchange.facts import RequestFacts
from srd.exchange.policy import Policy

_PASSED = b"passed "


class Memory:
    """The policy's memo as one request uses it; without a memo it knows nothing. `now` is Unix
    time in seconds."""

    def __init__(self, policy: Policy, facts: RequestFacts) -> None:
        self._policy = policy
        self._facts = facts
        self._undecided: list[bytes] = []  # stages of this request that concluded nothing

    def __repr__(self) -> str:
        return f"<Memory {self._policy.memo!r} undecided={len(self._undecided)}>"

    def key(self, stage: int, text: str, *, last: bool, beside: str = "") -> bytes:
        """Equal keys mean equal evidence, so a remembered decision is the one that would be made
        again: configuration, stage, text and whether it goes on, the headers where a signal reads
        them, and `beside`: what else is read before the body's end."""
        digest = blake2b(digest_size=16)
        parts = [str(self._policy.generation), str(stage), str(last), beside]
        for name in sorted(self._policy.identity_headers):
            parts += [name, self._facts.headers.get(name, "")]
        for part in parts:
            digest.update(part.encode("utf-8", "replace") + b"\0")
        digest.update(text.encode("utf-8", "replace"))
        return digest.digest()

    def recall(self, key: bytes, now: float) -> Decision | None:
        """The decision that this evidence led to, if it is remembered."""
        memo = self._policy.memo
        known = None if memo is None else memo.recall(key, now)
        return None if known is None else replace(known, basis=Basis.MEMO)

    def passes(self, key: bytes) -> None:
        """A stage that concluded nothing: worth knowing once a later one has concluded."""
        self._undecided.append(key)

    def was_passed(self, key: bytes, now: float) -> bool:
        """True when exactly this stage is known to conclude nothing, so that its forward may wait
        for what a later one says: a memory of that decision, mostly."""
        memo = self._policy.memo
        return memo is not None and memo.knows(_PASSED + key, now)

    def remember(self, key: bytes, decision: Decision, now: float) -> Decision:
        """Keep the decision, and which stages concluded nothing before it."""
        memo = self._policy.memo
        if memo is not None:
            memo.remember(key, decision, now)
            for passed in self._undecided:
                memo.remember(_PASSED + passed, decision, now)
        return decision
