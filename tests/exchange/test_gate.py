"""What headers alone settle: who comes in, how far, and who is refused why."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from playbook import PLAIN, headers, policy_of

from srd.exchange.facts import ENVOY_HEADER_ENTRIES, RESERVED_ENTRIES, read_headers
from srd.exchange.gate import Admission, Gate, admit
from srd.exchange.policy import Policy
from srd.signals.authz import compile_role

POLICY = policy_of(PLAIN)
BLOCKED = PLAIN.replace(
    "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]",
    'plugins: [{type: fast_response, configuration: {message: "No."}}]',
)
BLOCKING = policy_of(BLOCKED)
OBSERVING, ALLOWING = (
    policy_of(BLOCKED.replace("  router:\n", f"  router:\n    blocking: {{{said}}}\n"))
    for said in ("mode: observe", "on_error: allow")
)
CAPPED = policy_of(PLAIN.replace("streamed_body:", "streamed_body:\n      max_bytes: 5000"))
LISTING = policy_of(
    PLAIN.replace("  router:\n", "  router:\n    include_config_models_in_list: true\n")
)


def identities() -> Policy:
    """A policy with a rule that asks who the user is."""
    role = compile_role("admin", [], "window", user_header="x-user", groups_header="x-groups")
    return replace(POLICY, signals=replace(POLICY.signals, signals=(role,), keys=("authz:admin",)))


def gate(
    path: str = "/v1/chat/completions",
    method: str = "POST",
    *,
    policy: Policy = POLICY,
    end: bool = False,
    routes: bool = True,
    more: tuple[tuple[str, bytes], ...] = (),
    agentgateway: bool = False,
    **fields: str,
) -> Admission:
    kind: str | None = fields.pop("content_type", "application/json")
    extra = {name.replace("_", "-"): value for name, value in fields.items()}
    raw = (*headers(path, method, extra=extra, content_type=kind).headers, *more)
    facts = read_headers(raw[::-1] if agentgateway else raw, skip_allowed=False)
    return admit(facts, policy, end=end, mode_routes=routes, now=1000.0)


def status(admission: Admission) -> int:
    assert admission.refusal is not None, admission
    assert json.loads(admission.refusal.body)["error"]["code"] == admission.refusal.status
    return admission.refusal.status


@pytest.mark.parametrize(
    "path", ["chat/completions", "completions", "responses", "messages", "responses?stream=1"]
)
def test_a_prompt_is_routed(path):
    assert gate(f"/v1/{path}") == Admission(gate=Gate.ROUTE)
    assert gate(f"/prefix/v1/{path}") == Admission(gate=Gate.ROUTE)


@pytest.mark.parametrize(
    "path",
    ["embeddings", "messages/count_tokens", "messages/batches", "responses/input_tokens",
     "responses/compact", "chat/completions/batch"],
)  # fmt: skip
def test_what_nobody_routes_is_read_for_a_name(path):
    assert gate(f"/v1/{path}") == Admission(gate=Gate.NAMED)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/upload"])
def test_other_methods_pass_and_nothing_of_them_is_unread(path, method):
    for policy in (POLICY, BLOCKING):
        assert gate(path, method, policy=policy) == Admission()


@pytest.mark.parametrize("path", ["/upload", "/chat/completions", "/v1/threads/a/messages"])
def test_other_paths_pass_whatever_they_hold(path):
    for policy in (POLICY, BLOCKING):
        assert gate(path, policy=policy, content_type="text/plain") == Admission()


def test_without_a_body_there_is_nothing_to_route():
    assert gate(end=True) == Admission()
    assert gate(end=True, policy=BLOCKING, content_type="text/plain") == Admission()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"content_encoding": "snappy"}, "content_encoding"),
        ({"content_encoding": "gzip, gzip, gzip"}, "content_encoding"),
    ],
)
def test_what_cannot_be_read_passes_with_its_reason_and_is_refused_where_a_rule_blocks(fields, why):
    assert gate(**fields) == Admission(unread=why)
    refused = gate(policy=BLOCKING, **fields)
    assert status(refused) == 415
    assert why in refused.refusal.body.decode()
    assert gate("/v1/embeddings", policy=BLOCKING, **fields) == Admission(unread=why)


@pytest.mark.parametrize("policy", [POLICY, BLOCKING])
@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_a_body_comes_in_whatever_its_type_says(policy, kind):
    assert gate(policy=policy, content_type=kind) == Admission(gate=Gate.ROUTE)
    assert gate("/v1/embeddings", policy=policy, content_type=kind) == Admission(gate=Gate.NAMED)


def test_a_charset_that_makes_another_text_of_the_bytes_is_refused_where_a_rule_blocks():
    kind = "application/json; charset=utf-7"
    assert gate(content_type=kind) == Admission(gate=Gate.ROUTE)
    refused = gate(policy=BLOCKING, content_type=kind)
    assert status(refused) == 415
    assert "charset" in refused.refusal.body.decode()
    assert gate(policy=BLOCKING, content_type=kind, end=True) == Admission()
    utf16 = "application/json; charset=utf-16"  # its bytes tell: they are JSON in one of the two
    assert gate(policy=BLOCKING, content_type=utf16) == Admission(gate=Gate.ROUTE)


@pytest.mark.parametrize(
    ("fields", "reason", "goes_on"),
    [
        ({"content_encoding": "snappy"}, "content_encoding", Gate.PASS),
        ({"content_type": "application/json; charset=utf-7"}, "charset", Gate.ROUTE),
    ],
)
def test_where_rules_that_block_only_observe_a_refusal_is_told_and_it_goes_on(
    fields, reason, goes_on
):
    found = gate(policy=OBSERVING, **fields)
    assert found.gate is goes_on
    assert found.refusal is None
    assert found.would_refuse is not None
    assert found.would_refuse.reason == reason
    assert gate(policy=ALLOWING, **fields) == gate(**fields)
    assert gate("/v1/embeddings", policy=OBSERVING, **fields).would_refuse is None


@pytest.mark.parametrize("policy", [POLICY, BLOCKING])
def test_a_mode_without_bodies_is_a_reason_too(policy):
    assert gate(policy=policy, routes=False) == Admission(unread="mode")


@pytest.mark.parametrize("offer", ["h2c", "TLS/1.2", "websocket"])
def test_an_offer_to_upgrade_is_an_ordinary_request(offer):
    assert gate(upgrade=offer, connection="upgrade") == Admission(gate=Gate.ROUTE)


def test_a_websocket_passes_although_a_rule_blocks():
    """It was asked for by a GET, which holds no prompt."""
    found = gate("/v1/responses", "GET", policy=BLOCKING, upgrade="websocket")
    assert found == Admission(unread="upgrade")


def test_a_length_over_the_cap_is_refused_unless_no_body_comes():
    assert status(gate(policy=CAPPED, content_length="5001")) == 413
    assert gate(policy=CAPPED, content_length="5000") == Admission(gate=Gate.ROUTE)
    assert gate(policy=CAPPED, content_length="5001", end=True) == Admission()
    assert gate("/upload", policy=CAPPED, content_length="5001") == Admission()
    assert gate(content_length="5001") == Admission(gate=Gate.ROUTE)


def test_the_list_of_models_is_ours_where_the_operator_asked():
    assert gate("/v1/models", "GET") == Admission()
    found = gate("/v1/models", "GET", policy=LISTING)
    assert found.refusal.status == 200
    assert gate("/v1/models", "POST", policy=LISTING) == Admission()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/upload"])
def test_more_headers_than_envoy_lets_us_remove_are_refused_and_none_is_left(path):
    room = ENVOY_HEADER_ENTRIES - RESERVED_ENTRIES - POLICY.header_entries
    spoofed = tuple((f"x-vsr-selected-{n}", b"evil") for n in range(room + 1))
    assert status(gate(path, more=spoofed)) == 431
    assert gate(path, more=spoofed[1:]).refusal is None
    assert gate(path, more=spoofed, agentgateway=True).refusal is None


def test_a_user_who_is_two_is_refused_where_a_rule_asks_who_it_is():
    two = (("x-user", b"alice"), ("x-user", b"bob"))
    refused = gate(policy=identities(), more=two)
    assert status(refused) == 400
    assert "x-user" in refused.refusal.body.decode()
    assert gate(more=two) == Admission(gate=Gate.ROUTE)
    same = (("x-user", b"alice"), ("x-user", b" alice "))
    assert gate(policy=identities(), more=same) == Admission(gate=Gate.ROUTE)
    groups = (("x-groups", b"a"), ("x-groups", b"b"))
    assert gate(policy=identities(), more=groups) == Admission(gate=Gate.ROUTE)
