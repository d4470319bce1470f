"""`authz`: roles, by the identity that an authenticating proxy put into the headers.

Why this file exists: role bindings name users and groups, decisions name roles. It must not know
who authenticates; a header that the proxy does not overwrite is the client's word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from srd.config.base import Name, Part
from srd.signals.base import UNKNOWN, Evidence, Reach, Reading
from srd.signals.entry import Making, Rule, SignalType
from srd.signals.readings import is_open, yes_or_no

USER_HEADER = "x-authz-user-id"
GROUPS_HEADER = "x-authz-user-groups"


class Subject(Part, frozen=True, kw_only=True):
    """A user or a group."""

    kind: Literal["User", "Group"]
    name: Name


class RoleBinding(Rule, frozen=True, kw_only=True):
    """Who has a role; an `authz` leaf names the role."""

    role: Name
    subjects: tuple[Subject, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class RoleSignal:
    """True when the user, or one of the comma-separated groups, has the role.

    Headers are there from the start, so the answer is immediate. Without a user nobody has any
    role: fail closed, where upstream answers 403. Several lines of a header come joined by commas,
    so all groups count; two users joined are nobody that a binding names.
    """

    name: str
    reach: Reach
    users: frozenset[str]
    groups: frozenset[str]
    user_header: str = USER_HEADER
    groups_header: str = GROUPS_HEADER
    type: str = "authz"
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        """`detail` says by which kind of subject, never whom."""
        if not is_open(self.reach, evidence):
            return UNKNOWN
        user = evidence.headers.get(self.user_header, "").strip()
        listed = evidence.headers.get(self.groups_header, "").split(",")
        groups = {group.strip() for group in listed} - {""}
        by_user = user in self.users
        matched = bool(user) and (by_user or not groups.isdisjoint(self.groups))
        return yes_or_no(matched, 1.0, None, "user" if by_user else "group")

    def __repr__(self) -> str:
        return f"<authz:{self.name} {len(self.users)} users, {len(self.groups)} groups>"


def compile_role(
    role: str,
    bindings: Sequence[RoleBinding],
    reach: Reach,
    *,
    user_header: str = USER_HEADER,
    groups_header: str = GROUPS_HEADER,
) -> RoleSignal:
    """Every binding of the role together."""
    subjects = [s for binding in bindings if binding.role == role for s in binding.subjects]
    return RoleSignal(
        role,
        reach,
        frozenset(s.name.strip() for s in subjects if s.kind == "User"),
        frozenset(s.name.strip() for s in subjects if s.kind == "Group"),
        user_header.lower(),
        groups_header.lower(),
    )


def _compile(rule: RoleBinding, making: Making[RoleBinding]) -> RoleSignal:
    authz = making.shop.document.global_.services.authz
    identity = authz.identity if authz else None
    return compile_role(
        rule.role,
        making.rules,
        making.reach,
        user_header=identity.user_id_header if identity else USER_HEADER,
        groups_header=identity.user_groups_header if identity else GROUPS_HEADER,
    )


ENTRY = SignalType(
    name="authz",
    section="role_bindings",
    rule=RoleBinding,
    key=lambda rule: rule.role,
    compile=_compile,
    header="authz",
)
