import pytest

from srd.config.problems import (
    ConfigErrors,
    Problem,
    Problems,
    closest,
    join,
    nearest,
    quote,
    render,
)


@pytest.mark.parametrize(
    ("path", "key", "joined"),
    [
        ("", "routing", "routing"),
        ("routing", "decisions", "routing.decisions"),
        ("routing.decisions", 3, "routing.decisions[3]"),
        ("families", "gpt-oss", "families.gpt-oss"),
        ("families", "gpt 4.1", 'families["gpt 4.1"]'),
        ("", "", '[""]'),
    ],
)
def test_a_path_is_built_of_keys_and_indices(path: str, key: str | int, joined: str) -> None:
    assert join(path, key) == joined


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("priorty", ["name", "priority"], 'did you mean "priority"?'),
        ("modelrefs", ["modelRefs", "model"], 'did you mean "modelRefs"?'),
        ("model_refs", ["modelRefs"], 'did you mean "modelRefs"?'),
        ("computer_science", ["math", "computer science"], 'did you mean "computer science"?'),
        ("or", ["AND", "OR", "NOT"], 'did you mean "OR"?'),
        ("zzz", ["AND", "OR"], 'known: "AND", "OR"'),
        ("zzz", [], ""),
        ("zzz", [f"name{n}" for n in range(20)], ""),
    ],
)
def test_the_closest_name_is_suggested(word: str, known: list[str], hint: str) -> None:
    assert closest(word, known) == hint


def test_nothing_is_near_to_an_unlike_word() -> None:
    assert nearest("zzz", ["AND"]) is None


def test_problems_come_in_the_order_of_the_file() -> None:
    problems = Problems()
    problems.place("b", (2, 1))
    problems.place("a", (9, 1))
    problems.place("c", (2, 7))
    for path in ("a", "c", "b"):
        problems.error(path, "wrong")
    assert [problem.path for problem in problems.errors] == ["b", "c", "a"]
    assert [problem.line for problem in problems.errors] == [2, 2, 9]


def test_a_problem_with_something_missing_stands_where_its_surroundings_do() -> None:
    problems = Problems()
    problems.place("", (1, 1))
    problems.place("a.b[2]", (7, 1))
    problems.warn("a.b[2].c.d", "missing")
    problems.warn("x.y", "missing")
    assert [problem.line for problem in problems.warnings] == [1, 7]


def test_a_problem_is_shown_as_file_line_path_what_and_hint() -> None:
    problem = Problem("a.b", "is wrong", "write c", 7)
    assert render("f.yaml", problem) == "f.yaml:7: a.b: is wrong (write c)"
    assert render("f.yaml", Problem("", "is empty")) == "f.yaml: is empty"
    assert str(ConfigErrors("f.yaml", [problem, problem])).count("\n") == 1


def test_a_quoted_value_stays_on_one_line_and_short() -> None:
    assert quote("a\nb\x00") == '"a\\nb\\x00"'
    assert len(quote("x" * 1000)) == 62
