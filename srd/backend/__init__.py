"""A demo backend that speaks the OpenAI API as vLLM does, and tells what it received.

Why this room exists: a router is proved by what its upstream gets. It must know nothing of `srd`'s
other rooms, so that it stays an independent witness of them.
"""

from srd.backend.intake import Received
from srd.backend.server import Backend, BackgroundBackend, Settings

__all__ = ["Backend", "BackgroundBackend", "Received", "Settings"]
