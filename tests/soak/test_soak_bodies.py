"""A slice of the soak in CI: SOAK_SECONDS (20) of CPU time, from a seed of its own.

Each case runs whole; the seconds only bound how many there are. SOAK_SEED names another seed: an
unchanged commit must not turn red because the day is another one (`make soak-bodies` goes on).
"""

from __future__ import annotations

import os
import time

import pytest
from soak import soak_bodies
from soak.soak_bodies import soak, tell

SECONDS = min(120.0, float(os.environ.get("SOAK_SECONDS", "20")))
LEAST = 200


def test_nothing_leaves_wrong_whatever_happens_when():
    first = int(os.environ.get("SOAK_SEED") or 12_000_000)
    print(f"SOAK_SEED={first}")
    done, until = 0, time.process_time() + SECONDS
    while done < LEAST or time.process_time() < until:
        outcome = soak(first + done)
        assert not outcome.problems, tell(outcome)
        done += 1
    print(f"{done} cases")


def test_a_seed_is_one_case_everywhere():
    assert [soak(seed) for seed in range(20)] == [soak(seed) for seed in range(20)]


def test_every_harm_is_done():
    assert {soak(seed).harm for seed in range(150)} == {"", "flip", "short", "abort"}


def test_a_body_that_leaves_wrong_is_found(monkeypatch):
    def losing(run):
        left = soak_bodies_seen(run)
        return soak_bodies.replace(left, body=left.body[:-1])

    soak_bodies_seen = soak_bodies.seen
    monkeypatch.setattr(soak_bodies, "seen", losing)
    clean = [out for out in map(soak, range(100)) if out.ending == "clean"]
    assert clean
    assert all(out.problems for out in clean)


@pytest.mark.parametrize("count", [1, 200, 401])
def test_the_chunks_are_all_seeds_once(count):
    assert [seed for chunk in soak_bodies.chunks(7, count) for seed in chunk] == list(
        range(7, 7 + count)
    )
