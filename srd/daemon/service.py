"""What all streams of one process share: the policy in force, the classifier, the accounts.

Why this file exists: a reload swaps one attribute here, and every bound that is global (streams
open, bytes held) has its one owner here. It must not know gRPC messages or exchanges' insides.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from srd.classify.api import Classifier
from srd.exchange.policy import Policy
from srd.telemetry.record import NullObserver, Observer


@dataclass(slots=True)
class Service:
    """Shared state of one process; touched from the event loop only."""

    policy: Policy
    classifier: Classifier | None
    observer: Observer = field(default_factory=NullObserver)
    held_bytes: int = 0  # the sum of all HeldLedgers
    refused_streams: int = 0
    pressure_events: int = 0
    observer_failures: int = 0
    progress: int = 0  # grows with every message handled; the watchdog looks at it
    streams: dict[int, object] = field(default_factory=dict, repr=False)

    @property
    def open_streams(self) -> int:
        """Streams whose driver runs."""
        return len(self.streams)

    @property
    def overfull(self) -> bool:
        """True when the newest stream is one more than limits.max_streams allows."""
        return self.open_streams > self.policy.document.global_.router.limits.max_streams

    @property
    def under_pressure(self) -> bool:
        """True when all streams together hold more than limits.max_held_bytes_total."""
        return self.held_bytes > self.policy.document.global_.router.limits.max_held_bytes_total
