"""The system_prompt plugin: on when it has text, unless switched off; in each API's own place."""

import pytest

from srd.body.rewrite import SystemPrompt
from srd.body.shapes import Api
from srd.config.plugins import SystemPromptConfig
from srd.plugins.entry import PluginEdits
from srd.plugins.system_prompt import ENTRY, edits


@pytest.mark.parametrize(
    ("api", "place"),
    [
        (Api.CHAT, "messages"),
        (Api.RESPONSES, "instructions"),
        (Api.ANTHROPIC, "system"),
    ],
)
def test_the_text_goes_into_the_place_that_the_api_has(situation, api, place):
    assert ENTRY.plan(situation("math", api=api)) == PluginEdits(
        system_prompt=SystemPrompt("Prove it.", "replace"), system_place=place
    )


def test_completions_have_no_place_for_it(situation):
    missed = ENTRY.plan(situation("math", api=Api.COMPLETIONS))
    assert missed == PluginEdits(not_carried_out="completions has no place for it")


@pytest.mark.parametrize("mode", ["insert", "replace"])
def test_the_mode_is_the_configured_one(situation, mode):
    config = SystemPromptConfig(system_prompt="x", mode=mode)
    assert edits(config, situation()).system_prompt == SystemPrompt("x", mode)


def test_it_acts_only_where_the_decision_has_one(situation):
    assert ENTRY.plan(situation("plain")) is None
    assert ENTRY.plan(situation(None)) is None
