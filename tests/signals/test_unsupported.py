from collections.abc import Callable

from srd.signals.base import Evidence, Truth
from srd.signals.unsupported import UnsupportedSignal

Moment = Callable[..., Evidence]


def test_what_srd_does_not_have_never_matches(early: Moment, whole: Moment) -> None:
    signal = UnsupportedSignal("modality", "AR")
    assert signal.read(early("draw a cat")).value is Truth.FALSE
    assert signal.read(whole("draw a cat")).value is Truth.FALSE
    assert signal.heads == frozenset()
