"""Header names and values that no text can break out of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.plugins.headers import (
    CREDENTIAL_HEADERS,
    SPOOFABLE_HEADERS,
    SPOOFABLE_PREFIXES,
    header_name,
    header_value,
    is_ours_to_set,
)


@given(st.text())
def test_no_text_can_end_a_header_or_leave_ascii(text):
    value = header_value(text)
    assert all(32 <= byte < 127 for byte in value)


def test_a_line_break_becomes_one_space():
    assert header_value("a\r\nx-evil: 1\x00") == b"a x-evil: 1"


def test_other_scripts_are_percent_encoded():
    assert header_value("médical 数学") == b"m%C3%A9dical %E6%95%B0%E5%AD%A6"


@pytest.mark.parametrize("name", ["X-Team", "accept", "x.y_z"])
def test_ordinary_names_are_lowered(name):
    assert header_name(name) == name.lower()


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        ":authority",
        ":method",
        ":path",
        "Content-Length",
        "content-encoding",
        "transfer-encoding",
        "X-Envoy-Upstream-Alt",
        "connection",
        "te",
        "",
        "a b",
        "a\r\nb",
        "x-é",
        "x:y",
    ],
)
def test_names_that_move_the_request_or_break_the_line_are_refused(name):
    assert header_name(name) is None


def test_our_own_headers_are_spelled_in_lower_case():
    assert all(header_name(name) == name for name in (*SPOOFABLE_HEADERS, *SPOOFABLE_PREFIXES))


def test_what_is_ours_to_set_is_told_by_name_and_prefix():
    assert all(map(is_ours_to_set, SPOOFABLE_HEADERS))
    assert all(is_ours_to_set(f"{prefix}anything") for prefix in SPOOFABLE_PREFIXES)
    clients = ("x-vsr-debug", "x-vsr-skip-processing", "x-selected-models", "authorization")
    assert not any(map(is_ours_to_set, clients))


def test_the_keys_of_users_are_known_by_upstreams_names():
    assert {
        "x-user-anthropic-key",
        "x-user-azure-openai-key",
        "x-user-bedrock-key",
        "x-user-gemini-key",
        "x-user-minimax-key",
        "x-user-openai-key",
        "x-user-vertex-ai-key",
    } == CREDENTIAL_HEADERS
