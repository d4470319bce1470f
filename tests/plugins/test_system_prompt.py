"""The system_prompt plugin: on when it has text, unless switched off."""

import pytest

from srd.body.rewrite import SystemPrompt
from srd.config.plugins import SystemPromptConfig
from srd.plugins.system_prompt import system_prompt


def test_text_switches_it_on_and_insert_is_the_default():
    assert system_prompt(SystemPromptConfig(system_prompt="Be kind.")) == SystemPrompt(
        "Be kind.", "insert"
    )


def test_the_mode_is_the_configured_one():
    config = SystemPromptConfig(enabled=True, system_prompt="x", mode="replace")
    assert system_prompt(config) == SystemPrompt("x", "replace")


@pytest.mark.parametrize(
    "config",
    [
        None,
        SystemPromptConfig(),
        SystemPromptConfig(enabled=True),
        SystemPromptConfig(enabled=False, system_prompt="x"),
    ],
)
def test_without_text_or_switched_off_there_is_none(config):
    assert system_prompt(config) is None
