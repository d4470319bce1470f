from __future__ import annotations

from srd.classify.cache import LruCache, text_key


def test_the_least_recently_used_is_forgotten_first():
    cache = LruCache[int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    assert (cache.hits, cache.misses, len(cache)) == (3, 1, 2)


def test_a_peek_neither_counts_nor_refreshes():
    cache = LruCache[int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.peek("a") == 1
    cache.put("c", 3)
    assert cache.peek("a") is None
    assert (cache.hits, cache.misses) == (0, 0)


def test_capacity_zero_keeps_nothing():
    cache = LruCache[int](0)
    cache.put("a", 1)
    assert cache.get("a") is None


def test_any_text_has_a_key_lone_surrogates_too():
    assert text_key("\ud800") != text_key("\ud801")
    assert len(text_key("x" * 10_000)) == 16
