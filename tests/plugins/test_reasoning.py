"""Each API is told to think in its own member, in the dialect of family and server."""

import pytest

from srd.body.shapes import Api
from srd.config.plugins import RequestParamsConfig
from srd.config.providers import ReasoningFamily
from srd.plugins.entry import NO_EDITS, PluginEdits
from srd.plugins.reasoning import ENTRY, Thinking, edits

QWEN = ReasoningFamily(type="chat_template_kwargs", parameter="enable_thinking")
GPT = ReasoningFamily(type="reasoning_effort", parameter="reasoning_effort")
ODD = ReasoningFamily(type="reasoning_effort", parameter="effort")
TOP = ReasoningFamily(type="top_level_reasoning_effort", parameter="reasoning_effort")
CLIENT = frozenset({"reasoning_effort"})
KWARGS = frozenset({"chat_template_kwargs"})
OPENAI, DEEPSEEK = "api.openai.com", "api.deepseek.com"
ANTHROPIC, OPENROUTER = "api.anthropic.com", "openrouter.ai"
ON, OFF = True, False


def template(**inner):
    return {"chat_template_kwargs": inner}


@pytest.fixture
def told(situation):
    def run(on, family, /, *, api=Api.CHAT, host="base.svc", effort="high", rule=None, **params):
        made = Thinking(on=on, effort=effort if on else "", family=family, host=host)
        return edits(made, situation(api=api, params=params, rule=rule))

    return run


# -- chat completions


def test_chat_template_kwargs_are_explicit_either_way(told):
    for on, value in ((ON, b"true"), (OFF, b"false")):
        expected = PluginEdits(drop=CLIENT, merge=template(enable_thinking=value))
        assert told(on, QWEN, reasoning_effort="high") == expected


def test_vllm_takes_the_effort_in_its_kwargs(told):
    expected = PluginEdits(drop=CLIENT, merge=template(reasoning_effort=b'"high"'))
    assert told(ON, GPT, reasoning_effort="low") == expected


@pytest.mark.parametrize(
    ("client", "effort"), [("medium", b'"medium"'), (None, b'"low"'), (7, b'"low"')]
)
def test_vllm_off_keeps_the_clients_effort_or_low(told, client, effort):
    expected = PluginEdits(drop=CLIENT, merge=template(reasoning_effort=effort))
    assert told(OFF, GPT, reasoning_effort=client) == expected


@pytest.mark.parametrize("host", [OPENAI, OPENROUTER])
def test_hosted_models_take_the_effort_at_the_top_level(told, host):
    assert told(ON, GPT, host=host) == PluginEdits(set_members={"reasoning_effort": b'"high"'})
    assert told(OFF, GPT, host=host, reasoning_effort="medium") == NO_EDITS


def test_hosted_models_with_another_parameter_get_it_in_its_place(told):
    assert told(ON, ODD, host=OPENAI) == PluginEdits(drop=CLIENT, set_members={"effort": b'"high"'})
    assert told(OFF, ODD, host=OPENAI, reasoning_effort="medium") == PluginEdits(
        drop=CLIENT, set_members={"effort": b'"medium"'}
    )
    assert told(OFF, ODD, host=OPENAI) == NO_EDITS


def test_top_level_effort_leaves_the_kwargs_and_the_clients_value_when_off(told):
    away = template(reasoning_effort=None)
    assert told(ON, TOP) == PluginEdits(set_members={"reasoning_effort": b'"high"'}, merge=away)
    assert told(OFF, TOP, reasoning_effort="high") == PluginEdits(merge=away)


@pytest.mark.parametrize("family", [QWEN, GPT, ODD, TOP])
def test_deepseeks_own_service_has_one_dialect_for_every_family(told, family):
    assert told(ON, family, host=DEEPSEEK) == PluginEdits(
        drop=KWARGS,
        set_members={"thinking": b'{"type":"enabled"}', "reasoning_effort": b'"high"'},
    )
    assert told(OFF, family, host=DEEPSEEK, reasoning_effort="high") == PluginEdits(
        drop=KWARGS | CLIENT, set_members={"thinking": b'{"type":"disabled"}'}
    )


def test_an_effort_is_written_as_json(told):
    assert told(ON, GPT, effort='a"b').merge == template(reasoning_effort=b'"a\\"b"')


# -- Responses


@pytest.mark.parametrize("family", [QWEN, GPT, ODD, TOP])
@pytest.mark.parametrize("host", ["base.svc", OPENAI, OPENROUTER])
def test_responses_get_their_own_effort_whatever_family_and_host(told, family, host):
    found = told(ON, family, api=Api.RESPONSES, host=host)
    assert found.merge["reasoning"] == {"effort": b'"high"'}
    assert not found.set_members


def test_a_template_behind_responses_is_told_as_well(told):
    assert told(ON, QWEN, api=Api.RESPONSES).merge == {
        "reasoning": {"effort": b'"high"'},
        **template(enable_thinking=b"true"),
    }


def test_off_takes_the_clients_effort_away_from_a_template_behind_responses(told):
    assert told(OFF, QWEN, api=Api.RESPONSES).merge == {
        "reasoning": {"effort": None},
        **template(enable_thinking=b"false"),
    }


def test_off_means_little_effort_where_responses_know_nothing_but_efforts(told):
    assert told(OFF, GPT, api=Api.RESPONSES).merge["reasoning"] == {"effort": b'"low"'}


@pytest.mark.parametrize("family", [QWEN, GPT, ODD, TOP])
def test_off_leaves_a_known_hosts_client_its_own_effort(told, family):
    assert told(OFF, family, api=Api.RESPONSES, host=OPENAI) == NO_EDITS


@pytest.mark.parametrize("api", [Api.RESPONSES, Api.ANTHROPIC])
@pytest.mark.parametrize("on", [ON, OFF])
@pytest.mark.parametrize("host", [OPENAI, ANTHROPIC, DEEPSEEK, OPENROUTER])
def test_no_known_host_is_sent_what_only_vllm_takes(told, api, on, host):
    assert "chat_template_kwargs" not in told(on, QWEN, api=api, host=host, max_tokens=9000).merge


# -- Messages


@pytest.mark.parametrize(
    ("effort", "budget"), [("low", 1024), ("medium", 2048), ("high", 4096), ("utmost", 2048)]
)
def test_messages_get_a_budget_by_effort(told, effort, budget):
    found = told(ON, GPT, api=Api.ANTHROPIC, host=ANTHROPIC, effort=effort, max_tokens=32000)
    enabled = b'{"type":"enabled","budget_tokens":%d}' % budget
    assert found == PluginEdits(set_members={"thinking": enabled})


@pytest.mark.parametrize(
    ("most", "budget"), [(1025, 1024), (2048, 1024), (5000, 2500), (10**400, 4096), (6000.0, 3000)]
)
def test_a_budget_leaves_room_for_an_answer(told, most, budget):
    found = told(ON, GPT, api=Api.ANTHROPIC, host=ANTHROPIC, max_tokens=most)
    assert found.set_members["thinking"] == b'{"type":"enabled","budget_tokens":%d}' % budget


@pytest.mark.parametrize("most", [1, 512, 1024])
def test_a_small_answer_leaves_no_room_for_thinking(told, most):
    found = told(ON, GPT, api=Api.ANTHROPIC, host=ANTHROPIC, max_tokens=most)
    why = f"max_tokens of {most} leaves no room for thinking"
    assert found == PluginEdits(not_carried_out=why)


def test_a_budget_stays_below_the_limit_that_the_decision_itself_sets(told, situation):
    rule = situation("strict").rule
    limit = rule.plugin(RequestParamsConfig).max_tokens_limit
    found = told(ON, GPT, api=Api.ANTHROPIC, host=ANTHROPIC, max_tokens=9000, rule=rule)
    assert found.not_carried_out == f"max_tokens of {limit} leaves no room for thinking"


@pytest.mark.parametrize("params", [{}, {"max_tokens": True}, {"max_tokens": "9000"}])
def test_an_unknown_limit_is_no_limit_to_think_within(told, params):
    found = told(ON, GPT, api=Api.ANTHROPIC, host=ANTHROPIC, **params)
    assert found.not_carried_out == "max_tokens was not read before the decision"


def test_vllm_is_told_by_its_template_and_ignores_the_budget(told):
    switch = template(enable_thinking=b"true")
    least = b'{"type":"enabled","budget_tokens":1024}'
    unknown = told(ON, QWEN, api=Api.ANTHROPIC)
    assert unknown == PluginEdits(set_members={"thinking": least}, merge=switch)
    known = told(ON, QWEN, api=Api.ANTHROPIC, max_tokens=9000)
    assert known.set_members["thinking"] == b'{"type":"enabled","budget_tokens":4096}'
    small = told(ON, QWEN, api=Api.ANTHROPIC, max_tokens=100)
    assert small == PluginEdits(merge=switch)


@pytest.mark.parametrize(
    ("family", "host", "merge"),
    [
        (QWEN, "base.svc", template(enable_thinking=b"false")),
        (GPT, "base.svc", template(reasoning_effort=b'"low"')),
        (GPT, ANTHROPIC, {}),
        (TOP, "base.svc", {}),
    ],
)
def test_off_disables_thinking_in_messages(told, family, host, merge):
    disabled = {"thinking": b'{"type":"disabled"}'}
    assert told(OFF, family, api=Api.ANTHROPIC, host=host) == PluginEdits(
        set_members=disabled, merge=merge
    )


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"temperature": 0.2}, "temperature other than 1"),
        ({"top_k": 5}, "top_k"),
        ({"temperature": 1, "top_k": None}, ""),
    ],
)
def test_anthropic_is_not_sent_what_it_refuses_to_think_with(told, params, why):
    found = told(ON, GPT, api=Api.ANTHROPIC, host=ANTHROPIC, max_tokens=9000, **params)
    assert bool(found.not_carried_out) is bool(why)
    assert why in found.not_carried_out


# -- whether it acts at all


def test_without_a_decision_nothing_changes(situation):
    assert ENTRY.plan(situation(None)) is None


@pytest.mark.parametrize("api", Api)
def test_a_model_without_a_family_is_not_told_anything(told, api):
    assert told(OFF, None, api=api, reasoning_effort="high") == NO_EDITS
    missed = told(ON, None, api=api, reasoning_effort="high")
    assert missed == PluginEdits(not_carried_out="the model has no reasoning family")


def test_completions_cannot_be_told_to_think_and_need_not_be_told_not_to(situation):
    missed = ENTRY.plan(situation("math", api=Api.COMPLETIONS))
    assert missed == PluginEdits(not_carried_out="completions has no place for it")
    assert ENTRY.plan(situation("plain", api=Api.COMPLETIONS)) is None


def test_the_document_says_family_effort_and_host(situation):
    made = ENTRY.of(situation("hosted"))
    assert (made.on, made.effort, made.host) == (True, "high", OPENAI)
    assert made.family == GPT
