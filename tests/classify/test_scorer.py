from __future__ import annotations

import numpy as np
import pytest

from srd.classify import pii_rules
from srd.classify.api import Ask, ClassifierUnavailable
from srd.classify.encoder import Encoder, Head
from srd.classify.heads import softmax
from srd.classify.inspection import Inspector
from srd.classify.manifest import DomainCalibration, GuardEntry, RiskCalibration
from srd.classify.ort import Session
from srd.classify.scorer import DomainReader, JailbreakReader, PiiReader, Readers, Scorer
from srd.classify.spans import BioLabels
from srd.classify.tokens import TextTokenizer

DOMAINS = ("biology", "law", "math")
PII = ("O", "B-PERSON", "I-PERSON", "B-GPE", "I-GPE")
ALL = frozenset({"domain", "jailbreak", "pii", "embedding"})
READERS = Readers(
    domain=DomainReader(labels=DOMAINS, calibration=DomainCalibration(encoder={"512": 2.0})),
    jailbreak=JailbreakReader(positive=(1,), calibration=RiskCalibration(bias=0.5)),
    pii=PiiReader(labels=BioLabels(PII), rules=pii_rules.find),
)


@pytest.fixture
def scorer(tiny):
    def make(*groups, readers=READERS, max_rows=1):
        heads = {
            "domain": Head(output="domain_logits", labels=DOMAINS),
            "jailbreak": Head(output="jailbreak_logits", labels=("benign", "jailbreak")),
            "pii": Head(output="pii_logits", labels=PII),
            "embedding": Head(output="last_hidden_state"),
        }
        tokenizer = TextTokenizer.load(tiny.folder / "tokenizer.json")
        encoders = [
            Encoder(
                Session(tiny.folder / "encoder.onnx"),
                tokenizer,
                {name: heads[name] for name in group},
            )
            for group in (groups or (tuple(heads),))
        ]
        return Scorer(encoders, readers, max_rows=max_rows)

    return make


def test_every_asked_head_is_answered_and_no_other(scorer, tiny):
    text = "the law of the cell"
    (scores,) = scorer().score([Ask(text=text, heads=ALL)])
    expected = softmax(tiny.weights.logits("domain", tiny.ids(text)), 2.0)
    assert list(scores.domain) == list(DOMAINS)
    np.testing.assert_allclose(list(scores.domain.values()), expected, atol=1e-5)
    margin = np.diff(tiny.weights.logits("jailbreak", tiny.ids(text)))[0] + 0.5
    assert scores.jailbreak == pytest.approx(1 / (1 + np.exp(-margin)), abs=1e-5)
    assert np.linalg.norm(scores.embedding) == pytest.approx(1.0, abs=1e-5)
    assert scores.tokens == len(tiny.ids(text)) - 2
    (domain,) = scorer().score([Ask(text=text, heads=frozenset({"domain"}))])
    assert (domain.jailbreak, domain.pii, domain.embedding) == (None, None, None)


def test_the_risk_is_that_of_the_worst_piece(scorer, tiny):
    text = "a " * 380 + "law " * 380
    (scores,) = scorer().score([Ask(text=text, heads=frozenset({"jailbreak"}))])
    ids = tiny.ids(text)[1:-1]
    margins = [
        np.diff(tiny.weights.logits("jailbreak", [2, *ids[start:end], 3]))[0] + 0.5
        for start, end in ((0, 384), (368, 752), (376, 760))
    ]
    assert scores.jailbreak == pytest.approx(1 / (1 + np.exp(-max(margins))), abs=1e-5)
    assert max(margins) - min(margins) > 0.01


def test_a_batch_of_asks_has_the_answers_of_each_alone(scorer):
    asks = [
        Ask(text=text, heads=heads, window=window)
        for text, heads, window in (
            ("ada", ALL, 512),
            ("the law " * 300, ALL, 128),
            ("cell " * 40, frozenset({"domain"}), 64),
            ("", frozenset({"embedding", "pii"}), 64),
            ("mail ada@law.com", frozenset({"pii"}), 512),
        )
    ]
    single, batched = scorer(), scorer(max_rows=3)
    for ask, together in zip(asks, batched.score(asks), strict=True):
        (alone,) = single.score([ask])
        assert together.tokens == alone.tokens
        assert (together.domain is None) == (alone.domain is None)
        if alone.domain is not None:
            assert together.domain == pytest.approx(alone.domain, abs=1e-5)
        assert together.jailbreak == pytest.approx(alone.jailbreak, abs=1e-5)
        if alone.embedding is not None:
            assert list(together.embedding) == pytest.approx(list(alone.embedding), abs=1e-5)
        if alone.pii is not None:
            key = [(span.start, span.end, span.label) for span in alone.pii]
            assert [(span.start, span.end, span.label) for span in together.pii] == key


def test_heads_may_come_from_different_encoders(scorer):
    ask = Ask(text="the law of ada", heads=ALL)
    (one,) = scorer().score([ask])
    (two,) = scorer(("domain",), ("jailbreak", "pii"), ("embedding",)).score([ask])
    assert two.domain == pytest.approx(one.domain, abs=1e-5)
    assert two.jailbreak == pytest.approx(one.jailbreak, abs=1e-5)
    assert [span.label for span in two.pii] == [span.label for span in one.pii]
    assert list(two.embedding) == pytest.approx(list(one.embedding), abs=1e-5)


def test_rules_find_what_has_a_form_whatever_the_model_says(scorer):
    text = "pay 4111 1111 1111 1111 now"
    (scores,) = scorer().score([Ask(text=text, heads=frozenset({"pii"}))])
    (card,) = [span for span in scores.pii if span.label == "CREDIT_CARD"]
    assert text[card.start : card.end] == "4111 1111 1111 1111"


def test_rules_alone_answer_when_no_token_model_is_loaded(scorer):
    readers = Readers(pii=PiiReader(rules=pii_rules.find))
    (scores,) = scorer(("embedding",), readers=readers).score(
        [Ask(text="ada@law.com", heads=frozenset({"pii"}))]
    )
    assert [span.label for span in scores.pii] == ["EMAIL_ADDRESS"]


def test_a_head_that_is_not_loaded_is_unavailable(scorer):
    with pytest.raises(ClassifierUnavailable, match="jailbreak"):
        scorer(("domain",)).score([Ask(text="x", heads=frozenset({"jailbreak"}))])


def test_turns_have_the_domain_of_their_smallest_window_whatever_the_heads_are(scorer):
    scorer, texts = scorer(), ("the law", "ada " * 200, "")
    (scores,) = scorer.score([Ask(text="x", heads=frozenset({"jailbreak"}), turns=texts)])
    assert scores.domain is None
    alone = scorer.score([Ask(text=text, heads=frozenset({"domain"}), window=64) for text in texts])
    assert list(scores.turns) == [one.domain for one in alone]


def test_every_segment_is_inspected_by_itself_and_the_text_is_not(scorer):
    scorer, texts = scorer(), ("the law of ada", "", "mail ada@law.com")
    heads = frozenset({"jailbreak", "pii"})
    (scores,) = scorer.score([Ask(text="unread", heads=heads, segments=texts)])
    assert (scores.jailbreak, scores.pii) == (None, None)
    alone = scorer.score([Ask(text=text, heads=heads) for text in texts])
    assert [(one.jailbreak, one.pii) for one in scores.segments] == [
        (one.jailbreak, one.pii) for one in alone
    ]


def test_texts_of_the_same_tokens_run_once(scorer, monkeypatch):
    scorer, rows = scorer(), []
    forward = scorer.encoders[0].forward
    monkeypatch.setattr(scorer.encoders[0], "forward", lambda b: rows.extend(b) or forward(b))
    text = "the law of ada"
    scorer.score([Ask(text=text, heads=ALL, turns=(text,), segments=(text, text.upper()))])
    assert [row.heads for row in rows] == [ALL]


def test_turns_without_a_domain_head_are_unavailable(scorer):
    with pytest.raises(ClassifierUnavailable, match="domain"):
        scorer(("jailbreak",)).score([Ask(text="x", heads=frozenset(), turns=("a",))])


def test_a_text_beyond_the_bound_is_marked_truncated(scorer):
    scorer = scorer()
    scorer.inspector = Inspector(max_tokens=100)
    full, domain = scorer.score(
        [
            Ask(text="law " * 2000, heads=frozenset({"jailbreak"})),
            Ask(text="law " * 2000, heads=frozenset({"domain"})),
        ]
    )
    assert (full.truncated, domain.truncated) == (True, False)


GUARDED = GuardEntry(file="", suspicion=0.0, caution=0.5, sure=5.0)


def output(risk: float, *context: float):
    odds = np.log(risk / (1 - risk))
    return {"jailbreak": np.array([0.0, odds]), "context": np.array(context, dtype=np.float32)}


@pytest.fixture
def judge(guard):
    guarded = guard("attack")
    guarded.verdict = np.array([1.0, 0.0, 2.0, -1.0], dtype=np.float32)
    return JailbreakReader(positive=(1,), guard=guarded, entry=GUARDED)


def test_without_a_guard_the_risk_is_the_encoders_alone(judge):
    assert judge.read([(output(0.8, 9.0), None)]) == pytest.approx(0.8)


def test_of_one_window_the_higher_of_encoder_and_guard_counts(judge):
    assert judge.read([(output(0.8, 9.0), -3.0)]) == pytest.approx(0.8)
    assert judge.read([(output(0.1, -9.0), 2.0)]) == pytest.approx(1 / (1 + np.exp(-2)))


def test_a_suspected_window_is_judged_by_the_verdict(judge):
    assert judge.read([(output(0.5, 1.0), 0.0)], windows=10) == pytest.approx(
        1 / (1 + np.exp(-0.5))
    )
    assert judge.read([(output(0.5, -1.0), 0.0)], windows=10) == pytest.approx(
        1 / (1 + np.exp(3.5))
    )


def test_among_many_windows_it_takes_more(judge):
    few, many = (judge.read([(output(0.5, 1.0), 0.0)], windows=count) for count in (2, 2000))
    assert np.log(few / (1 - few)) - np.log(many / (1 - many)) == pytest.approx(1.5)


def test_where_the_guard_is_sure_the_encoders_own_judgement_counts(judge):
    assert judge.read([(output(0.9, -5.0), 6.0)], windows=10) == pytest.approx(0.9)


def test_what_no_encoder_read_is_a_low_risk_unless_the_guard_is_certain(judge):
    assert judge.read([], unread=2.0) == 0.3
    assert judge.read([], unread=-4.0) == pytest.approx(1 / (1 + np.exp(4)))
    assert judge.read([], unread=4.0) == pytest.approx(1 / (1 + np.exp(-4)))
    assert judge.read([]) == 0.0
