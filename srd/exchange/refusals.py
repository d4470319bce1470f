"""What a client is told whose request is refused for what its body holds.

Why this file exists: these words and their status codes are a contract with clients, and belong
together rather than to whoever finds the fault. It must not know who finds it, nor when.
"""

from __future__ import annotations

import difflib

from srd.body.body import BodyError
from srd.body.inflate import InflateLimit
from srd.plugins.errors import Immediate, refusal

_SHOWN = 200  # characters of a client's own text


def too_large(most: int) -> Immediate:
    """The body is larger than the operator lets through."""
    return refusal(413, f"the body is larger than {most} bytes")


def too_much_held(most: int) -> Immediate:
    """A rule that blocks must see all of the body, and more came than is held for one request."""
    return refusal(413, f"the body is larger than {most - 1} bytes, and a rule must see all of it")


def too_late() -> Immediate:
    """The body did not come."""
    return refusal(408, "the request body did not arrive in time")


def unreadable(fault: Exception) -> Immediate:
    """The body is no JSON, or cannot be opened: a BodyError, an InflateError or an InflateLimit."""
    if isinstance(fault, BodyError):
        return refusal(400, f"malformed JSON body: {fault.problem} at byte {fault.offset}")
    return refusal(413 if isinstance(fault, InflateLimit) else 400, str(fault))


def not_readable(why: str) -> Immediate:
    """Nobody here can read it, a backend perhaps can, and a rule would have to."""
    return refusal(415, f"a body that cannot be read ({why}) is refused: a rule blocks")


def policy_unanswered(retry_after: int | None = None) -> Immediate:
    """A blocking rule could not be evaluated in time. It is said neither which one nor on what.
    `retry_after`: seconds; None is the usual time, 0 says nothing of another try: it would end
    alike."""
    return refusal(
        503,
        "the request could not be checked, and is refused where a rule may block",
        code="policy_unanswered",
        kind="server_error",
        retry_after=retry_after,
    )


def only_a_part() -> Immediate:
    """The gateway shows a prefix, and something behind it might have to be blocked."""
    return refusal(413, "only a part of the body came, and a rule may block")


def batch_unread() -> Immediate:
    """A batch was not read to its end, and something in it might have to be blocked."""
    return refusal(413, "the batch is too large to be read, and a rule may block")


def not_routed(name: str, path: str) -> Immediate:
    """A name that asks to be routed, where nothing is."""
    bare = path.split("?", 1)[0]
    return refusal(400, f'"{name[:_SHOWN]}" is not routed on {bare[:_SHOWN]}: name a model')


def no_text(offset: int) -> Immediate:
    """A `model` whose value is nothing that names one."""
    return refusal(400, f'"model" at byte {offset} must be a string')


def unavailable(name: str, known: frozenset[str]) -> Immediate:
    """A model that nobody knows, with the names that it may have meant."""
    said = f'model "{name[:_SHOWN]}" is not available'
    near = difflib.get_close_matches(name[:_SHOWN], sorted(known), n=3)
    more = f"; did you mean {', '.join(f'{one!r}' for one in near)}?" if near else ""
    return refusal(400, said + more)


def no_prompt() -> Immediate:
    """Nothing in the body says what is asked."""
    return refusal(400, "the body has no prompt: messages, prompt or input is missing")


def hidden_prompt() -> Immediate:
    """The prompt is in a form that only the backend reads."""
    return refusal(415, "a prompt that cannot be read is refused where a rule may block")
