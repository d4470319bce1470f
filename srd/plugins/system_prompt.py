"""`system_prompt`: a decision's own instructions in front of the conversation.

Why this file exists: one file per plugin. Where the text goes in the body is srd.body's business
(upstream section 1.10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srd.body.rewrite import SystemPrompt

if TYPE_CHECKING:
    from srd.config.plugins import SystemPromptConfig


def system_prompt(config: SystemPromptConfig | None) -> SystemPrompt | None:
    """The prompt to put in, or None: no such plugin, switched off, or no text."""
    if config is None or not config.active:
        return None
    return SystemPrompt(text=config.system_prompt, mode=config.mode)
