"""Blocked, capped and stripped members."""

import pytest

from srd.config.plugins import RequestParamsConfig
from srd.plugins.request_params import ESSENTIAL, ParamEdits, param_edits


def test_without_the_plugin_nothing_changes():
    assert param_edits(None) == ParamEdits()


def test_blocked_members_are_dropped_but_never_the_request_itself():
    config = RequestParamsConfig(blocked_params=("logit_bias", "model", "messages"))
    assert param_edits(config).drop == {"logit_bias"}


def test_the_token_limit_caps_every_spelling_of_it():
    edits = param_edits(RequestParamsConfig(max_tokens_limit=100, max_n=2))
    assert edits.cap["max_tokens"] == edits.cap["max_completion_tokens"] == 100
    assert edits.cap["n"] == 2


def test_a_dropped_member_is_not_capped():
    edits = param_edits(RequestParamsConfig(blocked_params=("n", "max_tokens"), max_n=1))
    assert "n" not in edits.cap


def test_nothing_is_stripped_unless_asked():
    assert param_edits(RequestParamsConfig(max_n=1)).keep_only is None


@pytest.mark.parametrize(
    "name",
    [
        "max_completion_tokens",
        "stream_options",
        "metadata",
        "chat_template_kwargs",
        "parallel_tool_calls",
        "reasoning_effort",
        *ESSENTIAL,
    ],
)
def test_stripping_unknown_members_keeps_what_upstream_destroys(name):
    edits = param_edits(RequestParamsConfig(strip_unknown=True))
    assert name in edits.keep_only


def test_stripping_keeps_no_blocked_and_no_invented_member():
    edits = param_edits(RequestParamsConfig(strip_unknown=True, blocked_params=("user",)))
    assert not {"user", "x_internal_debug"} & edits.keep_only
