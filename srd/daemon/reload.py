"""Noticing that the configuration file changed, whichever way it was replaced.

Why this file exists: editors rename, Kubernetes swaps the `..data` symlink, people write
in place; looking at the content catches all three. It must not know what a configuration is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from pathlib import Path

POLL_SECONDS = 1.0


def fingerprint(path: Path) -> bytes:
    """A digest of the file's content; b"" while it cannot be read. O(size)."""
    try:
        return blake2b(path.read_bytes(), digest_size=16).digest()
    except OSError:
        return b""


async def watch(
    path: Path, changed: Callable[[], Awaitable[object]], *, poll_seconds: float = POLL_SECONDS
) -> None:
    """Call `changed` after each change of the file's content, once it has settled for one poll.

    Runs until cancelled. Stat first, read only when a stat field moved: one stat a second is all
    that an idle watch costs.
    """
    seen, stamp = fingerprint(path), _stamp(path)
    pending = b""
    while True:
        await asyncio.sleep(poll_seconds)
        now_stamp = _stamp(path)
        if now_stamp == stamp and not pending:
            continue
        stamp = now_stamp
        now = fingerprint(path)
        if now in (seen, b""):
            pending = b""
        elif now == pending:
            seen, pending = now, b""
            await changed()
        else:
            pending = now


def _stamp(path: Path) -> tuple[int, int, int, str]:
    try:
        stat = path.stat()
        return stat.st_mtime_ns, stat.st_ino, stat.st_size, str(path.resolve())
    except OSError:
        return (0, 0, 0, "")
