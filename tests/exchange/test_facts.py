"""What headers say, in every form in which gateways and clients write them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from playbook import DIALECTS

from srd.exchange.events import Headers
from srd.exchange.facts import (
    ENVOY_HEADER_ENTRIES,
    RESERVED_ENTRIES,
    UNSUPPORTED,
    Dialect,
    RequestFacts,
    is_model_list,
    read_headers,
    too_many_headers,
    wants_debug,
)
from srd.exchange.paths import TABLE, Kind
from srd.plugins.headers import CREDENTIAL_HEADERS, SPOOFABLE_HEADERS

Line = tuple[str, str | bytes]


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def written(
    dialect: str, *lines: Line, method: str = "POST", path: str = "/v1/chat/completions"
) -> Headers:
    """A header list in the gateway's order."""
    pseudo: list[Line] = [
        (":method", method),
        (":scheme", "https"),
        (":authority", "gateway"),
        (":path", path),
    ]
    ordered = [*pseudo, *lines] if dialect == "envoy" else [*lines, *pseudo]
    return tuple((k, v if isinstance(v, bytes) else v.encode()) for k, v in ordered)


def facts_of(dialect: str, *lines: Line, method: str = "POST", **more: str) -> RequestFacts:
    return read_headers(written(dialect, *lines, method=method, **more))


def test_the_order_of_pseudo_headers_tells_the_gateway():
    assert facts_of("envoy", ("a", "b")).dialect is Dialect.ENVOY
    assert facts_of("agentgateway", ("a", "b")).dialect is Dialect.AGENTGATEWAY


@pytest.mark.parametrize(
    "lines",
    [
        ("application/json",),
        ("APPLICATION/JSON",),
        (" application/json ",),
        ("application/json; charset=utf-8",),
        ("application/json;charset=utf-8;",),
        ("application/json charset=utf-8",),
        ('application/json; profile="a, text/plain; b"',),
        ("application/json", "application/json"),
        ("application/json, application/json",),
        ("application/json,application/json; charset=utf-8",),
        ("application/json", "text/plain"),
        ("text/plain", "application/json"),
        ("text/plain, application/json",),
        ("text/json",),
        ("application/vnd.openai+json",),
        ("Application/VND.x.y+JSON; version=1",),
        ("application/problem+json",),
    ],
)
def test_every_way_to_say_json_is_known(dialect, lines):
    facts = facts_of(dialect, *(("content-type", line) for line in lines))
    assert facts.json
    assert facts.ours
    assert facts.unread == ""


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        " ",
        ",",
        "text/plain",
        "application/x-ndjson",
        "application/jsonl",
        "application/json-seq",
        "multipart/form-data; boundary=application/json",
        'text/plain; note="application/json, application/json"',
        'text/plain; note="application/json',
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "json",
        "\xff\xfe",
    ],
)
def test_a_body_of_another_type_or_of_none_is_read_but_need_not_be_json(dialect, kind):
    facts = facts_of(dialect, *([] if kind is None else [("content-type", kind)]))
    assert not facts.json
    assert facts.ours
    assert facts.unread == ""


@pytest.mark.parametrize(
    ("kind", "odd"),
    [
        ("application/json", ""),
        ("application/json; charset=utf-8", ""),
        ("application/json; charset=UTF8", ""),
        ("application/json; Charset = 'utf-8'", ""),
        ('text/plain; charset="ISO-8859-1"', ""),
        ("text/plain; charset=us-ascii", ""),
        ("text/plain; charset=windows-1252", ""),
        ("application/json; charset=utf-16", ""),
        ("application/json; charset=UTF-16LE", ""),
        ("application/json; charset=utf_32_be", ""),
        ("application/json; charset=", ""),
        ("application/json; charset=utf-7", "utf-7"),
        ("application/json; charset=utf-8; charset=UTF-7", "UTF-7"),
        ("application/json; charset=utf-8, text/plain; charset=shift_jis", "shift_jis"),
        ("application/json; charset=iso-2022-jp", "iso-2022-jp"),
        ("application/json; charset=utf-8x", "utf-8x"),
    ],
)
def test_a_charset_in_which_the_bytes_may_be_another_text_is_told(dialect, kind, odd):
    facts = facts_of(dialect, ("content-type", kind))
    assert facts.charset == odd
    assert facts.ours


@pytest.mark.parametrize("name", ["x-authz-user-id", "x-user"])
def test_a_header_that_nobody_may_believe_is_no_fact_and_does_not_pass(dialect, name):
    raw = written(dialect, (name, "alice"), (name, "bob"), ("x-vsr-selected-model", "m"))
    facts = read_headers(raw, distrusted=frozenset({"x-authz-user-id", "x-user", "x-absent"}))
    assert facts.spoofed == tuple(sorted((name, "x-vsr-selected-model")))
    assert name not in facts.headers
    assert facts.values(name) == ()
    assert facts.contradiction([name]) is None
    believed = read_headers(raw)
    assert believed.spoofed == ("x-vsr-selected-model",)
    assert believed.values(name) == ("alice", "bob")


@pytest.mark.parametrize(
    ("lines", "coding"),
    [
        ((), ""),
        (("",), ""),
        ((" , ",), ""),
        (("identity",), ""),
        (("IDENTITY",), ""),
        (("identity, identity",), ""),
        (("UTF-8",), ""),
        (("utf8",), ""),
        (("aws-chunked",), ""),
        (("AWS-Chunked, identity",), ""),
        (("none",), ""),
        (("gzip",), "gzip"),
        (("GZip",), "gzip"),
        (("gzip, gzip",), "gzip, gzip"),
        (("GZIP", "IDENTITY", "gzip"), "gzip, gzip"),
        ((" x-gzip ",), "gzip"),
        (("deflate",), "deflate"),
        (("br",), "br"),
        (("zstd",), "zstd"),
        (("identity, gzip",), "gzip"),
        (("gzip,identity",), "gzip"),
        (("identity,gzip,identity",), "gzip"),
        (("aws-chunked,gzip",), "gzip"),
        (("utf-8", "zstd"), "zstd"),
        (("br, zstd",), "br, zstd"),
        (("br", "zstd"), "br, zstd"),
        (("br,", ",identity", "zstd"), "br, zstd"),
        (("identity, br, identity, zstd",), "br, zstd"),
    ],
)
def test_codings_are_listed_as_they_were_applied(dialect, lines, coding):
    facts = facts_of(dialect, *(("content-encoding", line) for line in lines))
    assert (facts.coding, facts.coding_known) == (coding, True)
    assert facts.compressed == (coding != "")
    assert facts.ours


@pytest.mark.parametrize(
    "lines",
    [
        ("snappy",),
        ("gzip, snappy",),
        ("gzip", "compress"),
        ("gzip, br, zstd",),
        ("gzip;q=1",),
        ('"gzip"',),
        ("gzip gzip",),
        ("gzip", "gzip", "gzip"),
        ("identity, gzip, gzip, gzip",),
        ("\xff",),
    ],
)
def test_codings_that_cannot_be_undone_leave_the_body_unread(dialect, lines):
    facts = facts_of(dialect, *(("content-encoding", line) for line in lines))
    assert not facts.coding_known
    assert not facts.ours
    assert facts.unread == "content_encoding"


@pytest.mark.parametrize(
    "upgrade", ["h2c", "TLS/1.2", "HTTP/2.0, h2c", "websocket", "WebSocket", "", "foo"]
)
def test_an_offer_to_upgrade_does_not_hide_a_post(dialect, upgrade):
    lines = (("connection", "Upgrade, HTTP2-Settings"), ("upgrade", upgrade))
    facts = facts_of(dialect, *lines)
    assert not facts.tunnel
    assert facts.ours


@pytest.mark.parametrize(
    ("method", "lines", "tunnel"),
    [
        ("GET", [("upgrade", "websocket")], True),
        ("GET", [("upgrade", "WebSocket")], True),
        ("GET", [("upgrade", "h2c, websocket/13")], True),
        ("GET", [("upgrade", "h2c"), ("upgrade", "websocket")], True),
        ("get", [("upgrade", "websocket")], True),
        ("GET", [("upgrade", "h2c")], False),
        ("GET", [("upgrade", "websockets")], False),
        ("GET", [], False),
        ("PUT", [("upgrade", "websocket")], False),
        ("CONNECT", [], True),
        ("CONNECT", [(":protocol", "websocket")], True),
    ],
)
def test_only_a_websocket_and_connect_are_tunnels(dialect, method, lines, tunnel):
    facts = facts_of(dialect, *lines, method=method)
    assert facts.tunnel == tunnel
    assert not facts.ours
    assert facts.unread == ("upgrade" if tunnel else "")
    assert facts_of(dialect, *lines, method=method, path="/chat").unread == ""


@pytest.mark.parametrize(
    "method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "QUERY", ""]
)
def test_another_method_has_no_body_of_ours(dialect, method):
    facts = facts_of(dialect, ("content-type", "text/plain"), method=method)
    assert not facts.ours
    assert not facts.named
    assert facts.unread == ""


def test_what_becomes_of_a_post_is_said_by_the_table(dialect):
    for tail, route in TABLE.items():
        facts = facts_of(dialect, path=f"/v1/{tail}")
        assert facts.route is route
        assert facts.api is route.api
        assert facts.ours == (route.kind is Kind.ROUTED)
        assert facts.named == (route.kind in (Kind.NAMED, Kind.BATCH))
        odd = facts_of(dialect, ("content-type", "text/plain"), path=f"/v1/{tail}")
        assert (odd.unread, odd.json, odd.ours, odd.named) == ("", False, facts.ours, facts.named)


def test_the_wish_to_be_skipped_is_a_reason_only_where_it_is_granted(dialect):
    asked = written(dialect, ("x-vsr-skip-processing", "True"))
    assert read_headers(asked).skip
    assert read_headers(asked).ours
    granted = read_headers(asked, skip_allowed=True)
    assert (granted.unread, granted.ours) == ("skip", False)
    assert read_headers(written(dialect), skip_allowed=True).ours
    no = written(dialect, ("x-vsr-skip-processing", "1"))
    assert not read_headers(no, skip_allowed=True).skip


def test_the_first_reason_is_the_one_that_no_client_can_mend(dialect):
    lines = (("content-type", "text/plain"), ("content-encoding", "snappy"))
    assert facts_of(dialect, *lines).unread == "content_encoding"
    skipped = written(dialect, *lines, ("x-vsr-skip-processing", "true"))
    assert read_headers(skipped, skip_allowed=True).unread == "skip"
    assert sorted(UNSUPPORTED) == ["content_encoding"]


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0", 0),
        ("17", 17),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        ("abc", None),
        ("٣", None),
        ("9" * 18, int("9" * 18)),
        ("9" * 19, None),
        ("9" * 5000, None),
    ],
)
def test_a_length_is_a_number_or_unknown(dialect, text, length):
    assert facts_of(dialect, ("content-length", text)).content_length == length


def test_our_own_headers_and_foreign_keys_must_not_pass(dialect):
    mine = [(name, "forged") for name in (*SPOOFABLE_HEADERS, "x-vsr-selected-new")]
    keys = [(name, "secret") for name in CREDENTIAL_HEADERS]
    others = [("authorization", "Bearer x"), ("x-user-other-key", "1"), ("x-vsr-debug", "true")]
    for path in ("/v1/chat/completions", "/v1/embeddings", "/upload"):
        facts = facts_of(dialect, *mine, *keys, *others, *mine, path=path)
        assert facts.spoofed == tuple(sorted(name for name, _ in mine))
        assert facts.credentials == tuple(sorted(CREDENTIAL_HEADERS))
        assert facts.unwanted == (*facts.spoofed, *facts.credentials)
    assert facts_of(dialect, *others).unwanted == ()


def test_lines_of_one_header_are_one_value_and_can_be_told_apart(dialect):
    lines = (("x-g", "a, b"), ("x-other", "1"), ("x-g", " c "), ("x-g", ""), ("x-g", "c"))
    facts = facts_of(dialect, *lines)
    assert facts.lines["x-g"] == (b"a, b", b" c ", b"", b"c")
    assert facts.values("x-g") == ("a, b", "c", "c")
    assert facts.values("x-none") == ()
    listed = {part.strip() for part in facts.headers["x-g"].split(",")}
    assert listed == {"a", "b", "c", ""}
    assert facts.headers["x-other"] == "1"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((b"\xff", b"\xff"), "ÿ"),
        ((b"\xe4", "ä".encode()), "ä"),
        ((b"\xff",), "ÿ"),
        (("数".encode(),), "数"),
    ],
)
def test_a_value_of_any_bytes_is_text(dialect, values, text):
    facts = facts_of(dialect, *(("x-a", value) for value in values))
    assert facts.headers["x-a"] == text
    assert facts.lines["x-a"] == values


def test_values_that_differ_stay_different_whatever_their_bytes(dialect):
    one, other = (facts_of(dialect, ("x-user", value)) for value in (b"\xff", b"\xfe"))
    assert one.headers["x-user"] != other.headers["x-user"]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], None),
        ([("x-user", "ann")], None),
        ([("x-user", "ann"), ("x-user", "ann")], None),
        ([("x-user", "ann"), ("x-user", " ann ")], None),
        ([("x-user", ""), ("x-user", "ann")], None),
        ([("x-user", "ann"), ("x-user", "bob")], "x-user"),
        ([("x-user", "ann"), ("x-user", "Ann")], "x-user"),
        ([("x-user", "cn=ann,ou=x")], None),
        ([("x-groups", "a"), ("x-groups", "b"), ("x-user", "ann")], None),
        ([("x-user", b"\xff"), ("x-user", b"\xfe")], "x-user"),
    ],
)
def test_a_subject_that_is_named_twice_is_a_contradiction(dialect, lines, found):
    assert facts_of(dialect, *lines).contradiction(["x-user"]) == found


def test_the_doubled_name_of_one_subject_is_that_name(dialect):
    facts = facts_of(dialect, ("x-user", "cn=ann, ou=x"), ("x-user", "cn=ann, ou=x"))
    assert facts.headers["x-user"] == "cn=ann, ou=x"


def test_only_envoy_has_a_limit_and_room_is_kept_for_the_driver(dialect):
    most = ENVOY_HEADER_ENTRIES - RESERVED_ENTRIES
    forged = [(f"x-vsr-selected-{n}", "1") for n in range(most - 1)]
    facts = facts_of(dialect, *forged, ("x-user-openai-key", "1"))
    assert len(facts.unwanted) == most
    assert not too_many_headers(facts)
    assert too_many_headers(facts, 1) == (dialect == "envoy")


@pytest.mark.parametrize(
    ("setting", "address", "told"),
    [
        ("on", "", True),
        ("on", "8.8.8.8:1", True),
        ("off", "127.0.0.1:1", False),
        ("loopback", "127.0.0.1:41234", True),
        ("loopback", "127.8.9.1", True),
        ("loopback", "[::1]:41234", True),
        ("loopback", "::1", True),
        ("loopback", "[::1]", True),
        ("loopback", "[::ffff:127.0.0.1]:80", True),
        ("loopback", "::ffff:127.0.0.1", True),
        ("loopback", "", False),
        ("loopback", "10.0.0.1:41234", False),
        ("loopback", "[2001:db8::1]:1", False),
        ("loopback", "::ffff:10.0.0.1", False),
        ("loopback", "localhost", False),
        ("loopback", "/run/envoy.sock", False),
        ("loopback", "127.0.0.1.evil.example:80", False),
        ("loopback", "[", False),
        ("loopback", ":", False),
    ],
)
def test_who_may_see_what_matched(dialect, setting, address, told):
    asking = facts_of(dialect, ("x-vsr-debug", "true"))
    assert wants_debug(asking, setting, address) is told
    assert not wants_debug(facts_of(dialect), setting, address)


@pytest.mark.parametrize(
    ("method", "path", "listed"),
    [
        ("GET", "/v1/models", True),
        ("GET", "/v1/models/?x=1", True),
        ("POST", "/v1/models", False),
        ("GET", "/v1/models/x", False),
    ],
)
def test_the_list_of_models_is_a_get(dialect, method, path, listed):
    assert is_model_list(facts_of(dialect, method=method, path=path)) is listed


KNOWN = [
    ":method", ":path", ":protocol", "content-type", "content-encoding", "content-length",
    "upgrade", "accept", "x-vsr-debug", "x-vsr-skip-processing", "x-selected-model", "x-user",
]  # fmt: skip
VALUES = [b"", b"POST", b"/v1/chat/completions", b"application/json", b"gzip", b"true", b"9" * 5000]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KNOWN) | st.text(max_size=8),
            st.sampled_from(VALUES) | st.binary(max_size=30),
        ),
        max_size=12,
    )
)
@example([])
@example([("content-type", b'"' * 5000), (":path", b"%" * 5000)])
def test_no_bytes_in_any_header_raise(lines):
    facts = read_headers(tuple(lines))
    assert facts.headers.keys() == {name for name, _ in lines}
    assert not (facts.ours and facts.unread)
    assert all(text.encode("utf-8") is not None for text in facts.headers.values())
    facts.contradiction(["x-user"])
    too_many_headers(facts, 3)
    wants_debug(facts, "loopback", facts.headers.get("x-user", ""))
