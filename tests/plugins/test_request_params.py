"""Blocked, capped and stripped members, in each API's own names."""

import pytest

from srd.body.shapes import Api
from srd.config.plugins import RequestParamsConfig
from srd.plugins.entry import NO_EDITS
from srd.plugins.request_params import ENTRY, edits, token_limit


@pytest.fixture
def made(situation):
    def run(api=Api.CHAT, **config):
        return edits(RequestParamsConfig(**config), situation(api=api))

    return run


def test_without_the_plugin_nothing_changes(situation):
    assert ENTRY.plan(situation("plain")) is None
    assert ENTRY.plan(situation("math")) is None


def test_an_empty_configuration_changes_nothing(made):
    assert made() == NO_EDITS


@pytest.mark.parametrize(
    ("api", "kept"),
    [
        (Api.CHAT, ("model", "messages")),
        (Api.COMPLETIONS, ("model", "prompt", "prompt_embeds")),
        (Api.RESPONSES, ("model", "input", "prompt")),
        (Api.ANTHROPIC, ("model", "messages", "max_tokens")),
    ],
)
def test_blocked_members_are_dropped_but_never_the_request_itself(made, api, kept):
    assert made(api, blocked_params=("logit_bias", *kept)).drop == {"logit_bias"}


@pytest.mark.parametrize(
    ("api", "caps"),
    [
        (Api.CHAT, {"max_tokens": 100, "max_completion_tokens": 100, "n": 2}),
        (Api.COMPLETIONS, {"max_tokens": 100, "n": 2}),
        (Api.RESPONSES, {"max_output_tokens": 100}),
        (Api.ANTHROPIC, {"max_tokens": 100}),
    ],
)
def test_limits_cap_what_the_api_calls_them(made, api, caps):
    assert made(api, max_tokens_limit=100, max_n=2).cap == caps


def test_a_dropped_member_is_not_capped(made):
    assert "n" not in made(blocked_params=("n", "max_tokens"), max_n=1).cap


def test_what_messages_requires_is_capped_even_when_it_is_blocked(made):
    found = made(Api.ANTHROPIC, blocked_params=("max_tokens",), max_tokens_limit=7)
    assert (found.drop, found.cap) == (frozenset(), {"max_tokens": 7})


def test_nothing_is_stripped_unless_asked(made):
    assert made(max_n=1).keep_only is None


@pytest.mark.parametrize(
    ("api", "names"),
    [
        (
            Api.CHAT,
            "model messages max_completion_tokens stream_options metadata chat_template_kwargs "
            "parallel_tool_calls reasoning_effort tools tool_choice response_format",
        ),
        (Api.COMPLETIONS, "model prompt suffix echo best_of logprobs stream stream_options"),
        (
            Api.RESPONSES,
            "model input instructions previous_response_id conversation prompt reasoning text "
            "tools include store truncation prompt_cache_key parallel_tool_calls background",
        ),
        (
            Api.ANTHROPIC,
            "model system messages max_tokens thinking metadata stop_sequences tools tool_choice "
            "context_management output_config mcp_servers container service_tier stream top_k",
        ),
    ],
)
def test_stripping_unknown_members_keeps_what_clients_of_the_api_send(made, api, names):
    assert set(names.split()) <= made(api, strip_unknown=True).keep_only


@pytest.mark.parametrize(
    ("api", "foreign"),
    [
        (Api.CHAT, "instructions"),
        (Api.COMPLETIONS, "messages"),
        (Api.RESPONSES, "messages"),
        (Api.ANTHROPIC, "n"),
    ],
)
def test_stripping_keeps_no_blocked_no_invented_and_no_foreign_member(made, api, foreign):
    kept = made(api, strip_unknown=True, blocked_params=("stream",)).keep_only
    assert not {"stream", "x_internal_debug", foreign} & kept


def test_the_token_limit_of_a_decision_is_known_to_others(document):
    limits = {rule.name: token_limit(rule) for rule in document.routing.decisions}
    assert limits["strict"] == 100
    assert limits["polite"] is limits["plain"] is token_limit(None) is None
