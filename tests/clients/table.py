"""All clients in one table, for tests to parametrize over.

Why this file exists: what must hold for one client must hold for all, also for the next one.
"""

from __future__ import annotations

from clients import agents, programs
from clients.shapes import Client

CLIENTS = (
    Client(name="claude code", api="messages", build=agents.claude_code, agent=True),
    Client(
        name="claude code, deferred tools",
        api="messages",
        build=agents.claude_code_deferred,
        agent=True,
    ),
    Client(
        name="claude code, strings", api="messages", build=agents.claude_code_strings, agent=True
    ),
    Client(name="claude code, gzip", api="messages", build=agents.claude_code_gzip, agent=True),
    Client(name="claude code, compaction", api="messages", build=agents.claude_code_compaction),
    Client(name="claude code, title", api="messages", build=agents.claude_code_title, helper=True),
    Client(name="codex", api="responses", build=agents.codex, agent=True),
    Client(name="codex, zstd", api="responses", build=agents.codex_zstd, agent=True),
    Client(name="codex, ide", api="responses", build=agents.codex_ide, agent=True),
    Client(name="cline", api="chat", build=agents.cline, agent=True),
    Client(name="roo", api="chat", build=agents.roo, agent=True),
    Client(name="aider", api="chat", build=agents.aider),
    Client(name="continue", api="chat", build=agents.continue_, agent=True),
    Client(name="opencode", api="chat", build=agents.opencode, agent=True),
    Client(name="cursor", api="chat", build=agents.cursor, agent=True),
    Client(name="openai python", api="chat", build=programs.openai_python),
    Client(name="openai node", api="chat", build=programs.openai_node),
    Client(name="openai responses", api="responses", build=programs.openai_responses),
    Client(name="anthropic python", api="messages", build=programs.anthropic_python),
    Client(name="curl", api="chat", build=programs.curl),
    Client(name="picture, chat", api="chat", build=programs.picture_chat, picture=True),
    Client(name="picture, messages", api="messages", build=programs.picture_messages, picture=True),
    Client(name="open webui", api="chat", build=programs.open_webui),
    Client(name="open webui title", api="chat", build=programs.open_webui_title, helper=True),
    Client(name="open webui tags", api="chat", build=programs.open_webui_tags, helper=True),
    Client(
        name="open webui follow-ups", api="chat", build=programs.open_webui_follow_ups, helper=True
    ),
    Client(name="open webui query", api="chat", build=programs.open_webui_query, helper=True),
    Client(name="open webui rag", api="chat", build=programs.open_webui_rag),
    Client(name="librechat title", api="chat", build=programs.librechat_title, helper=True),
    Client(name="langchain question", api="chat", build=programs.langchain_question, helper=True),
    Client(name="langchain condense", api="chat", build=programs.langchain_condense, helper=True),
    Client(name="llamaindex question", api="chat", build=programs.llamaindex_question, helper=True),
    Client(name="llamaindex refine", api="chat", build=programs.llamaindex_refine, helper=True),
)

AGENTS = tuple(client for client in CLIENTS if client.agent)


def client(name: str) -> Client:
    """The row of this name."""
    return next(each for each in CLIENTS if each.name == name)
