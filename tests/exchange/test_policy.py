"""What a policy knows of its signals before any request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playbook import PLAIN, policy_of

from srd.signals.authz import compile_role


def test_the_headers_of_an_authz_signal_are_known_whatever_they_are_called():
    policy = policy_of(PLAIN)
    role = compile_role("admin", [], "window", user_header="X-User", groups_header="X-Teams")
    signals = replace(policy.signals, signals=(role,), keys=("authz:admin",))
    named = replace(policy, signals=signals)
    assert named.identity_headers == {"x-user", "x-teams"}
    assert named.user_headers == {"x-user"}
    assert policy.user_headers == frozenset()


@pytest.mark.parametrize(
    ("identity", "distrusted"),
    [
        ("{}", set()),
        ("{trusted: true}", set()),
        ("{trusted: false}", {"x-authz-user-id", "x-authz-user-groups"}),
        (
            "{trusted: false, user_id_header: X-User, user_groups_header: x-teams}",
            {"x-authz-user-id", "x-authz-user-groups", "x-user", "x-teams"},
        ),
    ],
)
def test_identity_headers_are_distrusted_only_where_the_document_says_so(identity, distrusted):
    text = f"global:\n  services: {{authz: {{identity: {identity}}}}}\n"
    assert policy_of(PLAIN.replace("global:\n", text)).distrusted == distrusted
    assert policy_of(PLAIN).distrusted == frozenset()
