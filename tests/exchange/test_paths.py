"""Which paths are ours, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.body.shapes import Api
from srd.exchange.paths import TABLE, UNKNOWN, Kind, is_model_list, normalised, route_of

ROUTED = {
    "/v1/chat/completions": Api.CHAT,
    "/v1/completions": Api.COMPLETIONS,
    "/v1/responses": Api.RESPONSES,
    "/v1/messages": Api.ANTHROPIC,
}


@pytest.mark.parametrize(("path", "api"), ROUTED.items())
@pytest.mark.parametrize(
    "written",
    [
        "{}",
        "{}/",
        "{}?api-version=1&x=/v1/other",
        "{}/?x",
        "{}#part",
        "/openai{}",
        "/a/b{}",
        "/{}",
        "{}//",
        "/.{}",
        "/x/..{}",
        "{}/.",
        "/v1/proxy{}",
    ],
)
def test_a_routed_path_is_known_however_it_is_written(path, api, written):
    route = route_of(written.format(path))
    assert (route.kind, route.api, route.name) == (Kind.ROUTED, api, path)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/%63ompletions",
        "/%76%31/chat/completions",
        "/v1/chat%2Fcompletions",
        "/v1/chat%2fcompletions",
        "/v1/%2e/chat/completions",
        "/v1/x/%2E%2E/chat/completions",
        "/v1//chat///completions",
        "//v1/chat/completions",
        "/v1/./chat/completions",
        "/v1/chat/completions/",
        "/v1/chat/completions?a=b",
        "/v1/chat/%2563ompletions",
        "/v1/chat/%25252563ompletions",
        "/V1/chat/completions",
        "/v1/Chat/Completions",
        "/V1/CHAT/COMPLETIONS/?x",
        "/v1/chat/%43OMPLETIONS",
        "/v1/chat/completions;v=1",
        "/v1;a=b/chat;c/completions;jsessionid=1?x",
        "/v1/chat/completions%3Bv=1",
        "/v1/x/..;/chat/completions",
        "/v1/chat/completions%3Fa=b",
        "/v1/chat/completions%23part",
        "/v1/x%3F/../chat/completions",
        "/v1/chat/completions%00.txt",
        "/v1/chat/completions%20",
        "/v1/chat/completions%09%0A",
        "/v1\\chat\\completions",
        "/v1%5Cchat%5ccompletions",
        "/v1/x/..%5c..%5cv1/chat/completions",
        "http://host/v1/chat/completions",
    ],
)
def test_no_spelling_that_a_server_may_understand_hides_a_path(path):
    assert route_of(path).api is Api.CHAT


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "*",
        "/v1",
        "/v1/",
        "/chat/completions",
        "/completions",
        "/responses",
        "/messages",
        "/v1beta/chat/completions",
        "/xv1/chat/completions",
        "/v2/chat/completions",
        "/v1/chat/completions/../x",
        "/v1/chat/%252525252563ompletions",
        "/v1/chat%3F/completions",
        "/v1/chat/completionsx",
        "/v1/x/chat/completions",
        "/upload?path=/v1/chat/completions",
        "/upload#/v1/chat/completions",
        "/v1/audio/transcriptions",
        "/v1/files",
        "/invocations",
        "/openai/deployments/x/chat/completions",
    ],
)
def test_what_is_not_in_the_table_is_not_ours(path):
    assert route_of(path) is UNKNOWN
    assert UNKNOWN.kind is Kind.PASS


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/chat/completions/batch", Kind.NAMED),
        ("/v1/chat/completions/render", Kind.NAMED),
        ("/v1/completions/render", Kind.NAMED),
        ("/v1/messages/count_tokens", Kind.NAMED),
        ("/anthropic/v1/messages/count_tokens?beta=true", Kind.NAMED),
        ("/v1/responses/input_tokens", Kind.NAMED),
        ("/v1/responses/compact", Kind.NAMED),
        ("/v1/embeddings", Kind.NAMED),
        ("/v1/messages/batches", Kind.BATCH),
        ("/v1/batches", Kind.PASS),
        ("/v1/chat/completions/chatcmpl-1", Kind.PASS),
        ("/v1/chat/completions/chatcmpl-1/messages", Kind.PASS),
        ("/v1/responses/resp_1", Kind.PASS),
        ("/v1/responses/resp_1/cancel", Kind.PASS),
        ("/v1/responses/resp_1/input_items", Kind.PASS),
        ("/v1/messages/batches/b/results", Kind.PASS),
        ("/v1/threads/t/messages", Kind.PASS),
        ("/v1/threads/v1/messages", Kind.PASS),
        ("/v1/threads/t/messages/m", Kind.PASS),
    ],
)
def test_what_is_near_a_routed_path_is_not_taken_for_it(path, kind):
    route = route_of(path)
    assert (route.kind, route.api) == (kind, None)
    assert route.name


def test_every_row_finds_itself():
    for tail, route in TABLE.items():
        assert route_of(f"/v1/{tail.replace('{}', 'some-id')}") is route


def test_only_a_routed_row_has_a_shape_and_every_shape_has_a_row():
    shapes = [route.api for route in TABLE.values() if route.kind is Kind.ROUTED]
    assert sorted(api.value for api in shapes) == sorted(api.value for api in Api)
    assert not [r for r in TABLE.values() if r.api is not None and r.kind is not Kind.ROUTED]


@given(st.text(st.sampled_from("/.%2eEv1ch?#;\\5cC \ud800é\x00")) | st.text())
def test_any_text_is_a_path(path):
    once = normalised(path)
    assert once.startswith("/")
    assert "//" not in once
    assert not {".", ".."} & set(once.split("/"))
    route_of(path)


def test_a_long_path_costs_no_more_than_its_length():
    """Only the last segments can be a row's, so the others are never compared with one."""
    assert route_of("/v1" * 30_000 + "/chat/completions").kind is Kind.ROUTED
    assert route_of("/v1" * 30_000) is UNKNOWN


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/", "/v1//models?x=1", "/v1/%6dodels"])
def test_the_list_of_models_has_one_path(path):
    assert is_model_list(path)


@pytest.mark.parametrize("path", ["/v1/models/gpt", "/models", "/openai/v1/models", ""])
def test_and_no_other(path):
    assert not is_model_list(path)
