"""`system_prompt`: a decision's own instructions in front of the conversation.

Why this file exists: one file per plugin. It names the place that each API has for such a text;
how the text gets in there is srd.body's business.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from srd.body.rewrite import SystemPrompt
from srd.body.shapes import Api
from srd.config.plugins import SystemPromptConfig
from srd.plugins.entry import PluginEdits, document_plugin

if TYPE_CHECKING:
    from srd.plugins.entry import Situation

#: The top-level member that the text goes into: for chat the first message, if it is a system's.
PLACES = MappingProxyType(
    {Api.CHAT: "messages", Api.RESPONSES: "instructions", Api.ANTHROPIC: "system"}
)


def edits(config: SystemPromptConfig, situation: Situation) -> PluginEdits:
    """The prompt to put in, and where. The configuration has text and is not switched off."""
    prompt = SystemPrompt(text=config.system_prompt, mode=config.mode)
    return PluginEdits(system_prompt=prompt, system_place=PLACES[situation.api])


ENTRY = document_plugin(
    "system_prompt",
    SystemPromptConfig,
    edits,
    acts=lambda config: config.active,
    no_place=MappingProxyType({Api.COMPLETIONS: "completions has no place for it"}),
    debug_header="x-vsr-injected-system-prompt",
)
