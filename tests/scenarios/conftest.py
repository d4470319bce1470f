"""Every scenario runs against both gateways' dialects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from playbook import DIALECTS, PLAIN, Playbook, policy_of

from srd.decide.memo import Memo
from srd.exchange import Policy


@pytest.fixture(scope="session")
def policy() -> Policy:
    """Nothing but the model's name is edited."""
    return policy_of(PLAIN)


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def play(policy: Policy, dialect: str) -> Callable[..., Playbook]:
    """A fresh playbook: `play()`, or `play(policy=..., mode=...)`."""

    def make(**options: object) -> Playbook:
        # A memo of its own: what one transcript decided must not be remembered in the next.
        chosen = options.pop("policy", None) or replace(policy, memo=Memo())
        return Playbook(chosen, dialect, **options)  # type: ignore[arg-type]

    return make
