from collections.abc import Callable

import pytest

from srd.signals.base import Evidence, Reach, Truth
from srd.signals.language import Detector, LanguageSignal, counts_as, detect

Moment = Callable[..., Evidence]


def saying(code: str, confidence: float) -> Detector:
    return lambda text: (code, confidence)


def language(name: str, detector: Detector, threshold: float = 0.0) -> LanguageSignal:
    return LanguageSignal(name, Reach.WINDOW, threshold, 0.85, detector)


@pytest.mark.parametrize(
    ("name", "detected", "threshold", "value"),
    [
        ("de", ("de", 0.9), 0.0, Truth.TRUE),
        ("DE", ("de", 0.9), 0.0, Truth.TRUE),
        ("en", ("de", 0.9), 0.0, Truth.FALSE),
        ("de", ("de", 0.6), 0.7, Truth.FALSE),
        ("de", ("de", 0.7), 0.7, Truth.TRUE),
        ("de", ("de", 0.29), 0.0, Truth.FALSE),  # a guess: English is assumed
        ("en", ("de", 0.29), 0.5, Truth.TRUE),
        ("en", ("de", 0.29), 0.6, Truth.FALSE),
        ("en", ("", 0.0), 0.0, Truth.TRUE),
    ],
)
def test_the_code_must_be_the_name_and_sure_enough(
    whole: Moment, name: str, detected: tuple[str, float], threshold: float, value: Truth
) -> None:
    assert language(name, saying(*detected), threshold).read(whole("text")).value is value


@pytest.mark.parametrize(
    ("name", "detected", "counts"),
    [
        ("zh", "zh", True),
        ("zh", "yue", True),
        ("zh", "wuu", True),
        ("zh", "nan", True),
        ("ZH", "hak", True),
        ("yue", "yue", True),
        ("yue", "zh", False),  # a macrolanguage is none of its members
        ("yue", "wuu", False),
        ("ar", "arz", True),
        ("ar", "ary", True),
        ("arz", "ary", False),
        ("no", "nn", True),
        ("no", "no", True),
        ("nb", "no", True),  # the detector's word for Bokmal
        ("nn", "no", False),
        ("nb", "nn", False),
        ("ms", "id", True),
        ("id", "ms", False),
        ("fa", "prs", True),
        ("et", "vro", True),
        ("lv", "ltg", True),
        ("sw", "swh", True),
        ("uz", "uzs", True),
        ("ku", "sdh", True),
        ("gn", "gug", True),
        ("ff", "fuv", True),
        ("ki", "kik", True),
        ("sh", "hr", True),
        ("hr", "sr", False),
        ("ja", "zh", False),
        ("", "", True),
    ],
)
def test_a_member_counts_as_its_macrolanguage(name: str, detected: str, counts: bool) -> None:
    assert counts_as(detected, name.lower()) is counts


def test_a_rule_for_chinese_takes_cantonese(whole: Moment) -> None:
    reading = language("zh", saying("yue", 0.9), 0.8).read(whole("text"))
    assert (reading.value, reading.detail) == (Truth.TRUE, "yue")


@pytest.mark.parametrize(
    ("confidence", "value"), [(0.9, Truth.TRUE), (0.8, Truth.UNKNOWN), (0.1, Truth.UNKNOWN)]
)
def test_before_the_window_is_full_only_a_sure_detection_counts(
    early: Moment, confidence: float, value: Truth
) -> None:
    assert language("de", saying("de", confidence)).read(early("text")).value is value


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("What is the capital of France and how many people live there?", "en"),
        ("Was ist die Hauptstadt von Frankreich und wie viele Menschen leben dort?", "de"),
        ("Quelle est la capitale de la France et combien d'habitants compte-t-elle ?", "fr"),
        ("¿Cuál es la capital de Francia y cuántas personas viven allí?", "es"),
        ("Какой город является столицей Франции?", "ru"),
        ("法国的首都是哪里？那里有多少人口？", "zh"),
        ("フランスの首都はどこですか", "ja"),
        ("ما هي عاصمة فرنسا وكم عدد سكانها؟", "ar"),
    ],
)
def test_sentences_are_told_apart(text: str, code: str) -> None:
    detected, confidence = detect(text)
    assert detected == code
    assert confidence > 0.3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zh", "如何學習程式設計"),  # traditional characters: the likeliest code is Cantonese
        ("zh", "你點解唔去返工呀？我哋今晚食乜嘢好"),
        ("zh", "侬今朝吃啥物事"),
        ("zh", "今天天气怎么样"),  # two thirds Mandarin, one third Wu
        ("ar", "ازيك عامل ايه النهارده"),
        ("ar", "مرحبا كيف حالك اليوم"),
        ("no", "Kva er hovudstaden i Noreg?"),
    ],
)
def test_varieties_add_up(whole: Moment, name: str, text: str) -> None:
    reading = LanguageSignal(name, Reach.WINDOW, 0.8, 0.85).read(whole(text))
    assert reading.value is Truth.TRUE


@pytest.mark.parametrize("text", ["", " \n", "12345", "x^2+y^2=1", "a" * 1_000_000, "\ud800", "hi"])
def test_what_gives_no_clue_is_taken_for_english(whole: Moment, text: str) -> None:
    reading = LanguageSignal("en", Reach.WINDOW, 0.0, 0.85).read(whole(text))
    assert (reading.value, reading.confidence) == (Truth.TRUE, 0.5)


def test_detection_is_deterministic() -> None:
    text = "Guten Tag, I would like " * 500
    assert detect(text) == detect(text)


def test_source_raw_reads_the_message_as_the_backend_does(whole: Moment) -> None:
    def heard(text: str) -> tuple[str, float]:
        return ("de", 0.9) if "Hallo" in text else ("en", 0.9)

    evidence = whole("Hi", raw="<block>Hallo</block> Hi")
    for source, truth in (("", Truth.FALSE), ("human", Truth.FALSE), ("raw", Truth.TRUE)):
        signal = LanguageSignal("de", Reach.WINDOW, 0.0, 0.85, heard, source)
        assert signal.read(evidence).value is truth
