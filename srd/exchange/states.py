"""Where each half of an exchange can be.

Why this file exists: the two halves, the table of transitions and the machine that joins them speak
of states, and none of them may own the word alone. What leads from one to another stands in
srd.exchange.table.
"""

from __future__ import annotations

import enum


class State(enum.Enum):
    """Where a half is. The response is WAITING, FLOWING, DONE or CLOSED."""

    WAITING = "waiting"  # nothing has arrived
    HOLDING = "holding"  # ours, undecided: nothing of the body has left
    ANSWERING = "answering"  # we answer ourselves; whether as a stream, the body has yet to say
    TAIL = "tail"  # mode T: bytes leave, the decision waits for the end
    FLOWING = "flowing"  # committed, or not ours: every byte leaves
    DONE = "done"  # the end was answered; later messages are ignored (Envoy #46237)
    CLOSED = "closed"  # refused, or the peer is gone: nothing is answered any more


class Arrival(enum.Enum):
    """How much of a body has come; it only ever goes down this list."""

    OPEN = "open"
    LAST_MESSAGE = (
        "last message"  # BUFFERED: no other message holds bytes, the end is still to come
    )
    ENDED = "ended"  # the gateway said so in a body message
    TRAILERS = "trailers"  # trailers ended it, and they want an answer

    @property
    def complete(self) -> bool:
        """True when no byte of the body can come any more."""
        return self is not Arrival.OPEN

    @property
    def told(self) -> bool:
        """True when the end itself has come: whatever follows is ignored."""
        return self in (Arrival.ENDED, Arrival.TRAILERS)
