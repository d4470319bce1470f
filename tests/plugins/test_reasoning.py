"""The table of upstream section 1.17, row by row."""

import pytest

from srd.config.providers import ReasoningFamily
from srd.decide.decision import Reasoning
from srd.plugins.reasoning import NOTHING, Edits, reasoning_edits

ON = Reasoning(enabled=True, effort="high")
OFF = Reasoning(enabled=False)
QWEN = ReasoningFamily(type="chat_template_kwargs", parameter="enable_thinking")
GPT = ReasoningFamily(type="reasoning_effort", parameter="reasoning_effort")
ODD = ReasoningFamily(type="reasoning_effort", parameter="effort")
TOP = ReasoningFamily(type="top_level_reasoning_effort", parameter="reasoning_effort")
CLIENT = frozenset({"reasoning_effort"})
KWARGS = frozenset({"chat_template_kwargs"})
OPENAI, DEEPSEEK = "api.openai.com", "api.deepseek.com"


@pytest.mark.parametrize("reasoning", [ON, OFF])
def test_a_model_without_a_family_keeps_the_clients_effort(reasoning):
    assert reasoning_edits(reasoning, None, client_effort="high") == NOTHING


def test_without_a_decision_nothing_changes():
    assert reasoning_edits(None, QWEN, client_effort="high") == NOTHING


@pytest.mark.parametrize(("reasoning", "value"), [(ON, b"true"), (OFF, b"false")])
def test_chat_template_kwargs_are_explicit_either_way(reasoning, value):
    expected = Edits(drop=CLIENT, kwargs={"enable_thinking": value})
    assert reasoning_edits(reasoning, QWEN, client_effort="high") == expected


def test_vllm_takes_the_effort_in_its_kwargs():
    expected = Edits(drop=CLIENT, kwargs={"reasoning_effort": b'"high"'})
    assert reasoning_edits(ON, GPT, client_effort="low", host="base.svc") == expected


@pytest.mark.parametrize(
    ("client", "effort"), [("medium", b'"medium"'), (None, b'"low"'), (7, b'"low"')]
)
def test_vllm_off_keeps_the_clients_effort_or_low(client, effort):
    expected = Edits(drop=CLIENT, kwargs={"reasoning_effort": effort})
    assert reasoning_edits(OFF, GPT, client_effort=client) == expected


@pytest.mark.parametrize("host", [OPENAI, "openrouter.ai"])
def test_hosted_models_take_the_effort_at_the_top_level(host):
    assert reasoning_edits(ON, GPT, host=host) == Edits(members={"reasoning_effort": b'"high"'})
    assert reasoning_edits(OFF, GPT, client_effort="medium", host=host) == NOTHING


def test_hosted_models_with_another_parameter_get_it_in_its_place():
    assert reasoning_edits(ON, ODD, host=OPENAI) == Edits(
        drop=CLIENT, members={"effort": b'"high"'}
    )
    assert reasoning_edits(OFF, ODD, client_effort="medium", host=OPENAI) == Edits(
        drop=CLIENT, members={"effort": b'"medium"'}
    )
    assert reasoning_edits(OFF, ODD, host=OPENAI) == NOTHING


def test_top_level_effort_leaves_the_kwargs_and_the_clients_value_when_off():
    away = {"reasoning_effort": None}
    assert reasoning_edits(ON, TOP) == Edits(members={"reasoning_effort": b'"high"'}, kwargs=away)
    assert reasoning_edits(OFF, TOP, client_effort="high") == Edits(kwargs=away)


@pytest.mark.parametrize("family", [QWEN, GPT, ODD, TOP])
def test_deepseeks_own_service_has_one_dialect_for_every_family(family):
    assert reasoning_edits(ON, family, host=DEEPSEEK) == Edits(
        drop=KWARGS,
        members={"thinking": b'{"type":"enabled"}', "reasoning_effort": b'"high"'},
    )
    assert reasoning_edits(OFF, family, client_effort="high", host=DEEPSEEK) == Edits(
        drop=KWARGS | CLIENT, members={"thinking": b'{"type":"disabled"}'}
    )


def test_an_effort_is_written_as_json():
    wild = Reasoning(enabled=True, effort='a"b')
    assert reasoning_edits(wild, GPT).kwargs == {"reasoning_effort": b'"a\\"b"'}
