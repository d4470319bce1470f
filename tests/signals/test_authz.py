from collections.abc import Callable

import pytest

from srd.exchange.facts import read_headers
from srd.signals.authz import RoleBinding, RoleSignal, Subject, compile_role
from srd.signals.base import Evidence, Reach, Truth

Moment = Callable[..., Evidence]

BINDINGS = (
    RoleBinding(name="one", role="admin", subjects=(Subject(kind="User", name=" ann "),)),
    RoleBinding(name="two", role="admin", subjects=(Subject(kind="Group", name="ops"),)),
    RoleBinding(name="three", role="guest", subjects=(Subject(kind="Group", name="all"),)),
)


def admin() -> RoleSignal:
    return compile_role("admin", BINDINGS, Reach.WINDOW)


@pytest.mark.parametrize(
    ("user", "groups", "value", "detail"),
    [
        ("ann", "", Truth.TRUE, "user"),
        ("bob", "dev, ops", Truth.TRUE, "group"),
        ("bob", "dev", Truth.FALSE, ""),
        ("Ann", "", Truth.FALSE, ""),
        ("bob", "all", Truth.FALSE, ""),  # another role's group
        ("", "ops", Truth.FALSE, ""),  # nobody is in no group
        (" ", "ops", Truth.FALSE, ""),
        ("bob", ",,", Truth.FALSE, ""),
    ],
)
def test_a_role_belongs_to_its_users_and_groups(
    early: Moment, user: str, groups: str, value: Truth, detail: str
) -> None:
    headers = {"x-authz-user-id": user, "x-authz-user-groups": groups}
    reading = admin().read(early(headers=headers))
    assert (reading.value, reading.detail) == (value, detail)


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ([("user", "bob"), ("groups", "dev"), ("groups", "x, ops")], Truth.TRUE),
        ([("user", "bob"), ("groups", "dev"), ("groups", "all")], Truth.FALSE),
        ([("user", "ann"), ("user", "ann")], Truth.TRUE),
        ([("user", "ann"), ("user", "bob")], Truth.FALSE),
        ([("user", "bob"), ("user", "ann")], Truth.FALSE),
    ],
)
def test_all_lines_of_an_identity_header_count(
    early: Moment, lines: list[tuple[str, str]], value: Truth
) -> None:
    names = {"user": "x-authz-user-id", "groups": "x-authz-user-groups"}
    facts = read_headers(tuple((names[name], text.encode()) for name, text in lines))
    assert admin().read(early(headers=facts.headers)).value is value


def test_without_identity_headers_nobody_has_a_role(early: Moment) -> None:
    assert admin().read(early()).value is Truth.FALSE


def test_the_headers_can_be_named(early: Moment) -> None:
    named = compile_role("admin", BINDINGS, Reach.WINDOW, user_header="X-User", groups_header="X-G")
    assert named.read(early(headers={"x-user": "ann"})).value is Truth.TRUE
    assert named.read(early(headers={"x-authz-user-id": "ann"})).value is Truth.FALSE


def test_beyond_a_window_it_waits(early: Moment, whole: Moment) -> None:
    signal = compile_role("admin", BINDINGS, Reach.TURNS)
    headers = {"x-authz-user-id": "ann"}
    assert signal.read(early(headers=headers)).value is Truth.UNKNOWN
    assert signal.read(whole(headers=headers)).value is Truth.TRUE
