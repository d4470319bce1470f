import pytest

from srd.config.plugins import PLUGIN_ALIASES, PLUGIN_TYPES, SystemPromptConfig


@pytest.mark.parametrize(
    ("fields", "active"),
    [
        ({"system_prompt": "x"}, True),
        ({"system_prompt": "x", "enabled": True}, True),
        ({"system_prompt": "x", "enabled": False}, False),
        ({"enabled": True}, False),
        ({}, False),
    ],
)
def test_a_system_prompt_acts_when_it_has_text_and_is_not_off(
    fields: dict[str, object], active: bool
) -> None:
    assert SystemPromptConfig(**fields).active is active


def test_the_default_mode_is_insert() -> None:
    assert SystemPromptConfig().mode == "insert"


def test_aliases_lead_to_plugin_types() -> None:
    assert set(PLUGIN_ALIASES.values()) <= PLUGIN_TYPES.keys()
    assert not PLUGIN_ALIASES.keys() & PLUGIN_TYPES.keys()
