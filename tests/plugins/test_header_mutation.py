"""The header_mutation plugin never moves a request and never breaks a line."""

from srd.config.plugins import Header, HeaderMutationConfig
from srd.plugins.header_mutation import HeaderEdits, header_edits


def test_add_update_and_delete_keep_their_kinds():
    config = HeaderMutationConfig(
        add=(Header(name="X-Team", value="red"),),
        update=(Header(name="x-tier", value="gold"),),
        delete=("X-Old",),
    )
    assert header_edits(config) == HeaderEdits(
        add=(("x-team", b"red"),), update=(("x-tier", b"gold"),), delete=("x-old",)
    )


def test_names_that_decide_where_a_request_goes_are_left_out():
    names = (":path", "Host", "content-length", "transfer-encoding", "x-envoy-retry-on")
    headers = tuple(Header(name=name, value="x") for name in names)
    config = HeaderMutationConfig(add=headers, update=headers, delete=names)
    assert header_edits(config) == HeaderEdits()


def test_values_are_cleaned_and_empty_ones_change_nothing():
    config = HeaderMutationConfig(
        update=(Header(name="a", value="1\r\nb: 2"), Header(name="c", value=""))
    )
    assert header_edits(config).update == (("a", b"1 b: 2"),)


def test_without_the_plugin_nothing_changes():
    assert header_edits(None) == HeaderEdits()
