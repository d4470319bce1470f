"""Errors of an exchange, split by blame.

    SrdError
    +-- GatewayProtocolError   the gateway broke ExtProc; we end that stream with a gRPC status
    +-- ExchangeBug            ours: an invariant of the machine does not hold

What the client or the operator got wrong is not an exception here: a client's bad body becomes a
Refuse command, an operator's bad document never reaches an exchange (srd.config).
"""

from __future__ import annotations


class SrdError(Exception):
    """Base of everything srd raises on purpose."""


class GatewayProtocolError(SrdError):
    """The gateway sent a message that its own announcement rules out.

    Answered with gRPC FAILED_PRECONDITION (or `status`) on that stream; the operator sees it as
    `srd_exchanges_total{outcome="protocol_error"}`. The process lives on.
    """

    def __init__(self, problem: str, *, status: str = "FAILED_PRECONDITION") -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status


class ExchangeBug(SrdError):  # noqa: N818 - it is not the caller's error
    """Ours. Before a commit the client gets the default model, or a 500; after it the stream ends
    with INTERNAL. The operator sees the traceback in the log and `srd_faults_total`."""
