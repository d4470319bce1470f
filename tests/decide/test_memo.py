"""The memo: bounded, forgetful, and silent about the request that filled it."""

import pytest

from srd.config.globals import Memo as MemoConfig
from srd.decide.decision import Basis, Decision
from srd.decide.memo import Memo

DECISION = Decision(
    model="math-expert",
    requested_model="auto",
    basis=Basis.EARLY,
    name="math",
    stage="encoder",
    tokens_read=64,
    bytes_read=400,
    body_bytes=90_000,
    bytes_held=300,
)


def test_a_remembered_decision_comes_back_as_one_from_memory():
    memo = Memo()
    memo.remember(b"k", DECISION, 0.0)
    recalled = memo.recall(b"k", 1.0)
    assert recalled is not None
    assert (recalled.basis, recalled.model, recalled.name) == (Basis.MEMO, "math-expert", "math")
    assert (recalled.bytes_read, recalled.body_bytes, recalled.bytes_held) == (0, None, 0)
    assert (recalled.stage, recalled.tokens_read) == ("", 0)


def test_another_key_is_not_known():
    memo = Memo()
    memo.remember(b"k", DECISION, 0.0)
    assert memo.recall(b"other", 0.0) is None


def test_the_least_recently_used_entry_goes_first():
    memo = Memo(max_entries=2)
    memo.remember(b"a", DECISION, 0.0)
    memo.remember(b"b", DECISION, 0.0)
    memo.recall(b"a", 0.0)
    memo.remember(b"c", DECISION, 0.0)
    assert memo.recall(b"b", 0.0) is None
    assert memo.recall(b"a", 0.0) is not None
    assert len(memo) == 2


def test_an_entry_lives_from_its_last_use():
    memo = Memo(ttl_seconds=10)
    memo.remember(b"k", DECISION, 0.0)
    assert memo.recall(b"k", 9.0) is not None
    assert memo.recall(b"k", 19.0) is not None
    assert memo.recall(b"k", 29.5) is None
    assert len(memo) == 0


def test_remembering_again_replaces_and_does_not_grow():
    memo = Memo(max_entries=1)
    memo.remember(b"k", DECISION, 0.0)
    memo.remember(b"k", DECISION, 5.0)
    assert memo.statistics().evicted == 0
    assert len(memo) == 1


def test_statistics_count_what_happened():
    memo = Memo(max_entries=1, ttl_seconds=1)
    memo.remember(b"a", DECISION, 0.0)
    memo.remember(b"b", DECISION, 0.0)
    memo.recall(b"a", 0.0)
    memo.recall(b"b", 0.0)
    memo.recall(b"b", 9.0)
    numbers = memo.statistics()
    assert (numbers.entries, numbers.hits, numbers.misses) == (0, 1, 2)
    assert (numbers.evicted, numbers.expired) == (1, 1)


def test_without_capacity_nothing_is_kept():
    memo = Memo(max_entries=0)
    memo.remember(b"k", DECISION, 0.0)
    assert memo.recall(b"k", 0.0) is None


@pytest.mark.parametrize("enabled", [True, False])
def test_the_document_switches_it_on_and_off(enabled):
    memo = Memo.configured(MemoConfig(enabled=enabled, max_entries=3, ttl_seconds=5))
    assert (memo is not None) is enabled
    assert not enabled or repr(memo) == "<Memo 0/3 hits=0 misses=0>"


def test_asking_whether_something_is_known_keeps_it_and_counts_nothing():
    memo = Memo(max_entries=2, ttl_seconds=10)
    memo.remember(b"a", DECISION, 0.0)
    memo.remember(b"b", DECISION, 0.0)
    before = memo.statistics()
    assert memo.knows(b"a", 9.0)
    assert not memo.knows(b"other", 9.0)
    assert not memo.knows(b"b", 11.0)
    assert memo.statistics() == before
    memo.remember(b"c", DECISION, 11.0)
    assert not memo.knows(b"b", 0.0)
    assert memo.knows(b"a", 19.0)
