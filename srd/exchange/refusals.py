"""What a client is told whose request is refused for what its body holds.

Why this file exists: these words and their status codes are a contract with clients, and belong
together rather than to whoever finds the fault. It must not know who finds it, nor when.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from srd.body.body import BodyError
from srd.body.inflate import InflateLimit
from srd.config.rules import shown_key
from srd.plugins.errors import Immediate, refusal

_SHOWN = 200  # characters of a client's own text


def too_large(most: int) -> Immediate:
    """The body is larger than the operator lets through."""
    return refusal(413, f"the body is larger than {most} bytes", reason="too_large")


def too_much_held(most: int) -> Immediate:
    """A rule that blocks must see all of the body, and more came than is held for one request."""
    return refusal(
        413,
        f"the body is larger than {most - 1} bytes, and a rule must see all of it",
        reason="too_much_held",
    )


def too_late() -> Immediate:
    """The body did not come."""
    return refusal(408, "the request body did not arrive in time", reason="too_late")


def unreadable(fault: Exception) -> Immediate:
    """The body is no JSON, or cannot be opened: a BodyError, an InflateError or an InflateLimit."""
    if isinstance(fault, BodyError):
        said = f"malformed JSON body: {fault.problem} at byte {fault.offset}"
        return refusal(400, said, reason="malformed")
    if isinstance(fault, InflateLimit):
        return refusal(413, str(fault), reason="inflate_limit")
    return refusal(400, str(fault), reason="damaged")


def not_readable(why: str) -> Immediate:
    """Nobody here can read it, a backend perhaps can, and a rule would have to. `why` is a word of
    ours."""
    said = f"a body that cannot be read ({why}) is refused: a rule blocks"
    return refusal(415, said, reason=why)


def policy_unanswered(retry_after: int | None = None, *, leaves: Iterable[str] = ()) -> Immediate:
    """A blocking rule could not be evaluated in time. The client is told neither which one nor on
    what; `leaves`, the keys of what was open, are for the log. `retry_after`: seconds; None is the
    usual time, 0 says nothing of another try: it would end alike."""
    open_ = ", ".join(dict.fromkeys(shown_key(key) for key in sorted(leaves)))
    return refusal(
        503,
        "the request could not be checked, and is refused where a rule may block",
        code="policy_unanswered",
        kind="server_error",
        retry_after=retry_after,
        reason=f"policy_unanswered: {open_}" if open_ else "policy_unanswered",
    )


def only_a_part() -> Immediate:
    """The gateway shows a prefix, and something behind it might have to be blocked."""
    return refusal(413, "only a part of the body came, and a rule may block", reason="only_a_part")


def batch_unread() -> Immediate:
    """A batch was not read to its end, and something in it might have to be blocked."""
    return refusal(413, "the batch is too large to be read, and a rule may block", reason="batch")


def not_routed(name: str, path: str) -> Immediate:
    """A name that asks to be routed, where nothing is."""
    bare = path.split("?", 1)[0]
    return refusal(
        400,
        f'"{name[:_SHOWN]}" is not routed on {bare[:_SHOWN]}: name a model',
        reason="not_routed",
    )


def no_text(offset: int) -> Immediate:
    """A `model` whose value is nothing that names one."""
    return refusal(400, f'"model" at byte {offset} must be a string', reason="model_value")


def unavailable(name: str, known: frozenset[str]) -> Immediate:
    """A model that nobody knows, with the names that it may have meant."""
    said = f'model "{name[:_SHOWN]}" is not available'
    near = difflib.get_close_matches(name[:_SHOWN], sorted(known), n=3)
    more = f"; did you mean {', '.join(f'{one!r}' for one in near)}?" if near else ""
    return refusal(400, said + more, reason="unknown_model")


def no_prompt() -> Immediate:
    """Nothing in the body says what is asked."""
    return refusal(
        400, "the body has no prompt: messages, prompt or input is missing", reason="no_prompt"
    )


def hidden_prompt() -> Immediate:
    """The prompt is in a form that only the backend reads."""
    return refusal(
        415,
        "a prompt that cannot be read is refused where a rule may block",
        reason="hidden_prompt",
    )
