"""The header_mutation plugin never moves a request, never breaks a line and loses no value."""

import pytest

from srd.body.shapes import Api
from srd.config.plugins import Header, HeaderMutationConfig
from srd.plugins.entry import NO_EDITS, PluginEdits
from srd.plugins.header_mutation import ENTRY, edits


def made(situation, **lists):
    as_headers = {
        kind: tuple(Header(name=name, value=value) for name, value in pairs)
        for kind, pairs in lists.items()
        if kind != "delete"
    }
    config = HeaderMutationConfig(**as_headers, delete=lists.get("delete", ()))
    return edits(config, situation())


def test_add_update_and_delete_keep_their_kinds(situation):
    assert made(
        situation, add=[("X-Team", "red")], update=[("x-tier", "gold")], delete=("X-Old",)
    ) == PluginEdits(add=(("x-team", b"red"),), update=(("x-tier", b"gold"),), delete=("x-old",))


def test_a_name_that_is_added_twice_arrives_with_both_values_in_order(situation):
    found = made(situation, add=[("x-team", "red"), ("x-b", "1"), ("X-Team", "blue, green")])
    assert found.add == (("x-team", b"red, blue, green"), ("x-b", b"1"))


def test_a_name_that_is_deleted_and_added_is_overwritten(situation):
    found = made(situation, add=[("x-a", "1"), ("x-a", "2")], delete=("x-a", "x-b"))
    assert found == PluginEdits(update=(("x-a", b"1, 2"),), delete=("x-b",))


def test_names_that_decide_where_a_request_goes_are_left_out(situation):
    names = (":path", "Host", "content-length", "transfer-encoding", "x-envoy-retry-on")
    pairs = [(name, "x") for name in names]
    assert made(situation, add=pairs, update=pairs, delete=names) == NO_EDITS


def test_values_are_cleaned_and_empty_ones_change_nothing(situation):
    found = made(situation, update=[("a", "1\r\nb: 2"), ("c", "")], add=[("d", ""), ("d", "x")])
    assert (found.update, found.add) == ((("a", b"1 b: 2"),), (("d", b"x"),))


@pytest.mark.parametrize("api", Api)
def test_headers_are_the_same_on_every_api(situation, api):
    assert ENTRY.plan(situation("labelled", api=api)) == PluginEdits(
        add=(("x-team", b"red"),), update=(("x-tier", b"gold"),), delete=("x-old",)
    )


def test_without_the_plugin_nothing_changes(situation):
    assert ENTRY.plan(situation("plain")) is None
