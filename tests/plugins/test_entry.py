"""How edits of several plugins join, and what an entry says of its plugin."""

import pytest

from srd.body.rewrite import SystemPrompt
from srd.body.shapes import Api
from srd.config.plugins import SystemPromptConfig
from srd.plugins.entry import NO_EDITS, Phase, PluginEdits, document_plugin

PROMPT = PluginEdits(system_prompt=SystemPrompt("Be kind.", "insert"), system_place="system")


def test_what_a_later_plugin_drops_stays_dropped_whoever_wrote_it():
    first = PluginEdits(set_members={"a": b"1"}, merge={"b": {"x": b"2"}}, cap={"c": 3})
    later = PluginEdits(drop=frozenset({"a", "b", "c", "system"}))
    joined = first.then(PROMPT).then(later)
    assert joined == later
    assert joined.written == frozenset()


def test_what_a_later_plugin_writes_is_dropped_no_more():
    joined = PluginEdits(drop=frozenset({"a", "b"})).then(PluginEdits(set_members={"a": b"1"}))
    assert (joined.drop, joined.set_members) == ({"b"}, {"a": b"1"})


def test_edits_of_different_members_lie_side_by_side():
    joined = (
        PluginEdits(set_members={"a": b"1"}, merge={"k": {"x": b"1"}}, cap={"n": 1})
        .then(PROMPT)
        .then(PluginEdits(set_members={"b": b"2"}, merge={"k": {"y": b"2"}}, cap={"m": 2}))
        .then(PluginEdits(keep_only=frozenset({"q"})))
        .then(NO_EDITS)
    )
    assert joined == PluginEdits(
        set_members={"a": b"1", "b": b"2"},
        merge={"k": {"x": b"1", "y": b"2"}},
        cap={"n": 1, "m": 2},
        keep_only=frozenset({"q"}),
        system_prompt=PROMPT.system_prompt,
        system_place="system",
    )


def test_headers_of_all_plugins_are_kept_in_order():
    joined = PluginEdits(add=(("a", b"1"),), delete=("x",)).then(
        PluginEdits(add=(("b", b"2"),), update=(("c", b"3"),), delete=("y",))
    )
    assert joined.add == (("a", b"1"), ("b", b"2"))
    assert (joined.update, joined.delete) == ((("c", b"3"),), ("x", "y"))


def test_a_member_counts_as_written_only_when_it_gets_a_value():
    assert PluginEdits(merge={"k": {"x": None}}, drop=frozenset({"a"})).written == set()
    assert PROMPT.written == {"system"}
    assert PluginEdits(set_members={"a": b"1"}, merge={"k": {"x": b"1"}}).written == {"a", "k"}


@pytest.fixture
def entry():
    return document_plugin(
        "system_prompt",
        SystemPromptConfig,
        lambda config, situation: PROMPT,
        acts=lambda config: config.mode == "replace",
        no_place={Api.COMPLETIONS: "nowhere"},
    )


def test_a_document_plugin_acts_where_its_rule_has_it_switched_on(entry, situation):
    assert entry.plan(situation("math")) == PROMPT
    assert entry.plan(situation("polite")) is None  # its mode is insert
    assert entry.plan(situation("plain")) is None
    assert entry.plan(situation(None)) is None


def test_an_entry_says_which_decisions_ask_for_it(entry, document):
    assert [rule.name for rule in document.routing.decisions if entry.asks(rule)] == ["math"]


def test_an_api_without_a_place_gets_the_reason_instead_of_the_edits(entry, situation):
    missed = entry.plan(situation("math", api=Api.COMPLETIONS))
    assert missed == PluginEdits(not_carried_out="nowhere")
    assert entry.plan(situation("plain", api=Api.COMPLETIONS)) is None


def test_a_document_plugin_is_counted_under_its_name(entry):
    assert (entry.metric, entry.phase) == ("system_prompt", Phase.REQUEST)
    assert repr(entry) == "<Entry system_prompt request>"
