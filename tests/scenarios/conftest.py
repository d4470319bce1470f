"""Every scenario runs against both gateways' dialects."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playbook import DIALECTS, PLAIN, Playbook, policy_of

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
        chosen = options.pop("policy", policy)
        return Playbook(chosen, dialect, **options)  # type: ignore[arg-type]

    return make
