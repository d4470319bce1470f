"""What a decision asks of a request body, as a value.

Why this file exists: plugins say what must change, `srd.body` knows how to splice it. Neither needs
the other's inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """`replace` overwrites messages[0] when its role is system or developer, else prepends a system
    message; `insert` puts text and a blank line before an existing system text, else does the same.
    Where the API has a member for it (`instructions`, `system`), that one is meant."""

    text: str
    mode: Literal["insert", "replace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """Edits of one body, all by splices; everything outside them stays byte-identical, but for
    repeated members of which the first one counts (`shapes.ONCE`): later ones are dropped whatever
    the rewrite says.

    `model`: the name that leaves. A top-level "model" whose value (unescaped, not trimmed) is this
    name stays as it is spelled, every other one, of whatever kind, becomes it; a member is inserted
    when none exists. None leaves all alone.
    `drop`: top-level members removed, every occurrence. `set_members`: top-level members whose
    value becomes these JSON bytes, inserted when absent. `merge`: members of a top-level object:
    {"chat_template_kwargs": {"enable_thinking": b"true"}}; a value of None removes that inner
    member; a non-object there is replaced by an object, an absent one is inserted (unless
    nothing would be left to insert). `cap`: numeric top-level members lowered to at most this.
    `unbind`: turns that begin in front of this offset lose what only the model that made it can
    read (`body.bound`).
    """

    model: str | None = None
    drop: frozenset[str] = frozenset()
    keep_only: frozenset[str] | None = None
    set_members: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    merge: Mapping[str, Mapping[str, bytes | None]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    cap: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    system_prompt: SystemPrompt | None = None
    unbind: int = 0


#: For `unbind`: in front of it lies any turn.
EVERYWHERE = 1 << 62

NO_REWRITE = Rewrite()
