"""What a policy knows of its signals before any request."""

from __future__ import annotations

from dataclasses import replace

from playbook import PLAIN, policy_of

from srd.signals.authz import compile_role
from srd.signals.base import Reach


def test_the_headers_of_an_authz_signal_are_known_whatever_they_are_called():
    policy = policy_of(PLAIN)
    role = compile_role("admin", [], Reach.WINDOW, user_header="X-User", groups_header="X-Teams")
    signals = replace(policy.signals, signals=(role,), keys=("authz:admin",))
    named = replace(policy, signals=signals)
    assert named.identity_headers == {"x-user", "x-teams"}
    assert named.user_headers == {"x-user"}
    assert policy.user_headers == frozenset()
