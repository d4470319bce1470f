from __future__ import annotations

import threading

import pytest

from srd.classify.api import Ask, ClassifierUnavailable
from srd.classify.service import NullClassifier, cost

DOMAIN = frozenset({"domain"})
ALL = frozenset({"domain", "jailbreak", "pii", "embedding"})


def ask(text, heads=ALL, window=512):
    return Ask(text=text, heads=heads, window=window)


def test_a_submitted_ask_is_answered_by_the_encoder(opened):
    scores = opened().submit(ask("ada met the law")).result(10)
    assert scores.stage == "encoder"
    assert scores.window == 512
    assert set(scores.domain) == {"biology", "law", "math"}
    assert scores.pii is not None


def test_the_second_time_the_cache_answers(opened):
    classifier = opened()
    assert classifier.quick(ask("ada")) is None
    first = classifier.submit(ask("ada")).result(10)
    again = classifier.quick(ask("ada"))
    assert again.stage == "cache"
    assert (again.domain, again.jailbreak, again.pii) == (first.domain, first.jailbreak, first.pii)
    assert classifier.statistics().cache_hits == 1
    assert classifier.statistics().cache_entries == 1


def test_another_window_or_other_heads_are_another_question(opened):
    classifier = opened()
    classifier.submit(ask("ada", window=64)).result(10)
    assert classifier.quick(ask("ada", window=128)) is None
    assert classifier.quick(ask("ada", frozenset({"jailbreak"}), window=64)) is None


def test_text_that_is_not_read_does_not_make_another_question(opened):
    classifier = opened()
    beginning = "ab " * 128
    classifier.submit(ask(beginning + "one", DOMAIN, window=64)).result(10)
    assert classifier.quick(ask(beginning + "two", DOMAIN, window=64)).stage == "cache"
    classifier.submit(ask(beginning + "one", frozenset({"jailbreak"}), window=64)).result(10)
    assert classifier.quick(ask(beginning + "two", frozenset({"jailbreak"}), window=64)) is None


def test_the_first_stage_answers_a_sure_domain_question_at_once(opened):
    classifier = opened()
    scores = classifier.quick(ask("court", DOMAIN))
    assert scores.stage == "linear"
    assert max(scores.domain, key=scores.domain.get) == "law"
    assert classifier.statistics().first_stage == 1
    assert classifier.statistics().runs == 0


def test_the_first_stage_hands_over_when_unsure_or_when_more_is_asked(opened):
    classifier = opened()
    assert classifier.quick(ask("nothing known", DOMAIN)) is None
    assert classifier.quick(ask("court", ALL)) is None


def test_the_first_stage_can_be_switched_off(opened):
    assert opened(first_stage=False).quick(ask("court", DOMAIN)) is None


def test_the_first_stage_joins_the_encoders_answer_by_the_manifests_weight(opened, tiny):
    def law() -> float:
        return opened(first_stage=False).submit(ask("court", DOMAIN)).result(10).domain["law"]

    alone = law()
    tiny.manifest["combine"] = {"domain": {"weight": 0.9}}
    assert law() > alone


def test_a_text_of_many_short_pieces_leans_on_the_first_stage(opened, tiny):
    def law(text: str) -> float:
        return opened(first_stage=False).submit(ask(text, DOMAIN)).result(10).domain["law"]

    few, many = "court the cell the cell", "court cells grow in water"
    few_density, many_density = (len(text) / (len(tiny.ids(text)) - 2) for text in (few, many))
    assert few_density > many_density
    alone = law(few), law(many)
    points = [[many_density, 0.5], [few_density, 0.0]]
    tiny.manifest["combine"] = {"domain": {"by_density": points}}
    assert law(few) == alone[0]
    assert law(many) > alone[1]


def test_asks_from_many_threads_are_all_answered(opened):
    classifier = opened(threads=2, queue_limit=1000, cache_entries=0)
    texts = [f"the law {number}" for number in range(60)]
    results: dict[str, float] = {}

    def work(part: list[str]) -> None:
        for text in part:
            results[text] = classifier.submit(ask(text)).result(30).jailbreak

    threads = [threading.Thread(target=work, args=(texts[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    alone = opened(cache_entries=0)
    assert results == {text: alone.submit(ask(text)).result(10).jailbreak for text in texts}
    assert classifier.statistics().runs == 60


def test_batches_on_this_device_give_the_answers_of_single_asks(opened):
    from srd.classify.executor import Batching

    batched = opened(batching=Batching(max_asks=8, max_wait_s=0.05), threads=1)
    single = opened()
    texts = [f"the law of cell {number}" for number in range(24)]
    futures = [batched.submit(ask(text)) for text in texts]
    for text, future in zip(texts, futures, strict=True):
        expected = single.submit(ask(text)).result(10)
        assert future.result(10).domain == pytest.approx(expected.domain, abs=1e-5)
    assert max(batched.statistics().batch_sizes) > 1


def test_an_ask_for_a_head_that_was_not_opened_is_unavailable(opened):
    with pytest.raises(ClassifierUnavailable):
        opened(heads=DOMAIN).submit(ask("x", frozenset({"pii"}))).result(10)


def test_embeddings_are_computed_at_once_for_start_up(opened):
    classifier = opened()
    one, two = classifier.embed(["ada", "law"])
    assert list(one) == list(classifier.submit(ask("ada")).result(10).embedding)
    assert list(one) != list(two)


def test_a_closed_classifier_refuses(opened):
    classifier = opened()
    classifier.close()
    with pytest.raises(ClassifierUnavailable):
        classifier.submit(ask("x")).result(0)


def test_the_null_classifier_answers_the_empty_question_only():
    null = NullClassifier()
    empty = ask("x", frozenset())
    assert null.quick(empty).domain is None
    assert null.submit(empty).result(0).domain is None
    assert null.quick(ask("x")) is None
    with pytest.raises(ClassifierUnavailable):
        null.submit(ask("x")).result(0)
    assert null.embed([]) == []
    with pytest.raises(ClassifierUnavailable):
        null.embed(["x"])


def test_the_cost_of_an_ask_is_bounded_by_what_will_be_read():
    assert cost(ask("a" * 4000, DOMAIN, window=64)) == 96
    assert cost(ask("a" * 4000, ALL, window=64)) == 1000
    assert cost(ask("a" * 10_000_000, ALL)) == 8192 * 6 // 4
