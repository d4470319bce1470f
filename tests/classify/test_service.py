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
    assert classifier.statistics().cache_entries == 2  # domain and embedding


def test_another_window_is_another_question(opened):
    classifier = opened()
    classifier.submit(ask("ada", window=64)).result(10)
    assert classifier.quick(ask("ada", window=128)) is None


def test_every_part_of_an_answer_is_known_by_itself(opened):
    classifier = opened()
    both = ask("ada", frozenset({"domain", "jailbreak"}), window=64)
    first = classifier.submit(both).result(10)
    assert classifier.quick(ask("ada", DOMAIN, window=64)).domain == first.domain
    assert classifier.quick(ask("ada", frozenset({"jailbreak"}))).jailbreak == first.jailbreak
    assert classifier.quick(ask("ada", frozenset({"pii"}))) is None
    turn = Ask(text="", heads=frozenset(), turns=("ada",))
    assert classifier.quick(turn).turns == (first.domain,)


def test_text_that_is_not_read_does_not_make_another_question(opened):
    classifier = opened()
    beginning = "ab " * 700
    classifier.submit(ask(beginning + "one", DOMAIN, window=64)).result(10)
    assert classifier.quick(ask(beginning + "two", DOMAIN, window=64)).stage == "cache"
    classifier.submit(ask(beginning + "one", frozenset({"jailbreak"}), window=64)).result(10)
    assert classifier.quick(ask(beginning + "two", frozenset({"jailbreak"}), window=64)) is None


def test_a_conversations_next_turn_pays_for_its_new_texts_only(opened, forwards):
    classifier = opened()
    said = ["ada met the law", "the cell, please", "and the law of ada"]
    rows = forwards(classifier)

    def turn(count: int) -> int:
        before = len(rows)
        texts = tuple(said[:count])
        question = Ask(text=texts[-1], heads=ALL, turns=texts, segments=texts)
        scores = classifier.submit(question).result(10)
        assert len(scores.turns) == len(scores.segments) == count
        assert all(segment.pii is not None for segment in scores.segments)
        return len(rows) - before

    assert [turn(count) for count in (1, 2, 3, 3)] == [1, 1, 1, 0]
    assert classifier.statistics().segments_known == 0 + 1 + 2 + 3


def test_the_answer_from_memory_is_the_answer_that_was_computed(opened):
    classifier, texts = opened(), ("ada", "the law " * 100, "mail ada@law.com", "ada")
    question = Ask(text="ada", heads=ALL, turns=texts, segments=texts)
    first = classifier.submit(question).result(10)
    again = classifier.quick(question)
    assert (again.stage, again.turns, again.segments) == ("cache", first.turns, first.segments)
    assert (again.domain, list(again.embedding)) == (first.domain, list(first.embedding))


def test_memory_holds_no_text_and_is_bounded(opened):
    classifier = opened(segment_entries=2)
    texts = tuple(f"the law {number}" for number in range(5))
    classifier.submit(Ask(text="", heads=frozenset({"jailbreak"}), segments=texts)).result(10)
    assert classifier.statistics().segment_entries == 2
    assert classifier.quick(
        Ask(text="", heads=frozenset({"jailbreak"}), segments=texts[-2:])
    ).segments
    assert classifier.quick(Ask(text="", heads=frozenset({"jailbreak"}), segments=texts)) is None


def test_a_long_text_is_not_even_hashed_on_the_callers_thread(opened, monkeypatch):
    classifier = opened()
    monkeypatch.setattr(classifier._memory, "look", None)
    long = Ask(text="", heads=frozenset({"jailbreak"}), segments=("a" * 40_000, "b" * 40_000))
    assert classifier.quick(long) is None


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
    assert cost(ask("a" * 4000, DOMAIN, window=64)) == 64
    assert cost(ask("a" * 4000, ALL, window=64)) == 1000 + 4000 // 256
    assert cost(ask("a" * 1_000_000, ALL)) == 8192 + 1_000_000 // 256
    assert cost(Ask(text="", heads=frozenset(), turns=("a" * 4000, "a" * 40))) == 64 + 10
