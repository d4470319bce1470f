"""The table is the whole list of plugins, and everything that lists them agrees with it."""

from pathlib import Path

import pytest

from srd.body.shapes import Api
from srd.config import loads
from srd.config.features import EVALUATED_PLUGINS
from srd.config.plugins import PLUGIN_TYPES
from srd.plugins.entry import Phase
from srd.plugins.reasoning import NAME as REASONING
from srd.plugins.table import TABLE, debug_headers, without_place

PAGE = Path(__file__).resolve().parents[2] / "docs" / "plugins.md"
DOCUMENT_PLUGINS = [entry for entry in TABLE if entry.name != REASONING]


def test_the_document_evaluates_exactly_the_plugins_of_the_table():
    assert {entry.name for entry in DOCUMENT_PLUGINS} == EVALUATED_PLUGINS


@pytest.mark.parametrize("entry", DOCUMENT_PLUGINS, ids=lambda entry: entry.name)
def test_a_plugin_reads_the_struct_that_the_document_decodes_for_it(entry):
    assert PLUGIN_TYPES[entry.name] is entry.config
    assert entry.metric == entry.name


def test_the_order_is_upstreams_and_what_answers_comes_first():
    assert [entry.name for entry in TABLE] == [
        "fast_response",
        "reasoning",
        "system_prompt",
        "request_params",
        "header_mutation",
    ]
    assert [entry.phase for entry in TABLE] == [Phase.ANSWER] + [Phase.REQUEST] * 4


def test_only_completions_lack_a_place_for_anything():
    lacking = {entry.name: set(entry.no_place) for entry in TABLE if entry.no_place}
    assert lacking == {"reasoning": {Api.COMPLETIONS}, "system_prompt": {Api.COMPLETIONS}}


def test_the_documentation_has_every_plugin_and_says_which_api_has_no_place():
    rows = [line.split("|")[1:-1] for line in PAGE.read_text().splitlines() if line[:1] == "|"]
    assert [row[0].strip(" `") for row in rows[2:]] == [entry.name for entry in TABLE]
    for entry, (_, *cells) in zip(TABLE, rows[2:], strict=True):
        lacking = {api for api, cell in zip(Api, cells, strict=True) if cell.strip() == "-"}
        assert lacking == set(entry.no_place)


def test_an_operator_is_told_which_decisions_ask_for_what_an_api_lacks(document):
    why = "is not carried out on /v1/completions (completions has no place for it)"
    assert list(without_place(document)) == [
        f"reasoning {why}: math, hosted, thoughtful, hopeful.",
        f"system_prompt {why}: math, polite.",
    ]


def test_a_document_that_asks_for_nothing_of_that_kind_is_told_nothing():
    off = "{type: system_prompt, configuration: {system_prompt: x, enabled: false}}"
    plain = f"routing: {{decisions: [{{name: a, modelRefs: [{{model: m}}], plugins: [{off}]}}]}}"
    assert list(without_place(loads(plain).document)) == []


def test_debug_headers_tell_what_acted_and_what_could_not(decide):
    acted = decide("math", plugins=("reasoning", "system_prompt"))
    assert debug_headers(acted) == (("x-vsr-injected-system-prompt", b"true"),)
    missed = decide("math", not_carried_out=("reasoning: no\r\nplace", "system_prompt: none"))
    assert debug_headers(missed) == (
        ("x-vsr-not-carried-out", b"reasoning: no place, system_prompt: none"),
    )
    assert debug_headers(decide("plain")) == ()
