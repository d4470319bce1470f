"""One HTTP exchange: see srd.exchange.exchange for the machine and its driver's contract."""

from srd.exchange.exchange import Exchange
from srd.exchange.policy import Policy

__all__ = ["Exchange", "Policy"]
