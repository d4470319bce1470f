from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from srd.daemon.reload import fingerprint, watch

POLL = 0.005
SECONDS = 10  # no test waits this long unless it is about to fail


def changes(
    path: Path, *steps: Callable[[], object], quiet: Callable[[], object] | None = None
) -> int:
    """How often a watch reports, when each step is done after the report of the one before.

    `quiet` is done first and must not be reported.
    """

    async def run() -> int:
        seen: asyncio.Queue[bytes] = asyncio.Queue()
        count = 0

        async def changed() -> None:
            seen.put_nowait(fingerprint(path))

        watching = asyncio.create_task(watch(path, changed, poll_seconds=POLL))
        await asyncio.sleep(0)  # the watch looks at the first version
        if quiet is not None:
            quiet()
            await asyncio.sleep(6 * POLL)
        async with asyncio.timeout(SECONDS):
            for step in steps:
                step()
                assert await seen.get() == fingerprint(path)
                count += 1
        watching.cancel()
        return count + seen.qsize()

    return asyncio.run(run())


def test_a_file_written_in_place_is_reported_once_a_change(tmp_path: Path) -> None:
    path = tmp_path / "srd.yaml"
    path.write_text("one")
    assert changes(path, lambda: path.write_text("two"), lambda: path.write_text("three")) == 2


def test_a_file_that_an_editor_renames_over_it_is_reported(tmp_path: Path) -> None:
    path, new = tmp_path / "srd.yaml", tmp_path / ".srd.yaml.swp"
    path.write_text("one")
    new.write_text("two")
    assert changes(path, lambda: new.rename(path)) == 1


def test_the_kubelets_swap_of_the_data_link_is_reported(tmp_path: Path) -> None:
    """The file is a link through `..data`; only that link is replaced, by a rename."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "config.yaml").write_text(version)
    (tmp_path / "..data").symlink_to("one")
    path = tmp_path / "config.yaml"
    path.symlink_to("..data/config.yaml")

    def swap() -> None:
        (tmp_path / "..data_tmp").symlink_to("two")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    assert changes(path, swap) == 1
    assert path.read_text() == "two"


def test_a_touch_or_an_equal_rewrite_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "srd.yaml"
    path.write_text("one")
    assert changes(path, quiet=lambda: path.write_text("one")) == 0


def test_a_file_that_vanishes_and_comes_back_changed_is_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "srd.yaml"
    path.write_text("one")
    assert changes(path, lambda: path.write_text("two"), quiet=path.unlink) == 1


def test_a_file_that_cannot_be_read_has_no_fingerprint(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "none") == b""
