import pytest

from srd.config.environment import MAX_DEFAULT, MAX_NESTING, expand

ENV = {"V": "value", "EMPTY": "", "DOLLAR": "$V", "_u1": "under"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${V}", "value"),
        ("$V", "value"),
        ("a${V}b$V-c", "avaluebvalue-c"),
        ("$_u1", "under"),
        ("${V:-other}", "value"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${GONE:-other}", "other"),
        ("${GONE-other}", "other"),
        ("${GONE:-}", ""),
        ("${GONE:-${V}}", "value"),
        ("${GONE:-${GONE:-${V}!}}", "value!"),
        ("${GONE:-a:-b}", "a:-b"),
        ("$$V", "$V"),
        ("$$$V", "$value"),
        ("$$", "$"),
        ("$DOLLAR", "$V"),
        ("", ""),
        ("no variables", "no variables"),
    ],
)
def test_a_variable_is_replaced_by_its_value_or_default(text: str, expected: str) -> None:
    assert expand(text, ENV)[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "$",
        "5$",
        r"^\d+$",
        "$|x",
        "$ 5",
        "$5",
        "${",
        "${}",
        "${1x}",
        "${V",
        "${V:",
        "${V:-x",
        "${V!}",
    ],
)
def test_a_dollar_that_begins_no_variable_stays(text: str) -> None:
    assert expand(text, ENV)[0] == text


@pytest.mark.parametrize(
    ("text", "unset"),
    [
        ("$GONE ${GONE} ${ALSO}", {"GONE", "ALSO"}),
        ("${GONE:-x} ${GONE-}", set()),
        ("${EMPTY}", set()),
        ("${GONE:-$ALSO}", {"ALSO"}),
    ],
)
def test_variables_that_are_unset_and_have_no_default_are_named(text: str, unset: set[str]) -> None:
    assert expand(text, ENV)[1] == unset


def test_defaults_beyond_the_bounds_stay_as_written() -> None:
    deep = "${A:-" * (MAX_NESTING + 2) + "x" + "}" * (MAX_NESTING + 2)
    long = "${GONE:-" + "x" * (MAX_DEFAULT + 1) + "}"
    assert expand(long, {})[0] == long
    assert expand(deep, {})[0].startswith("${A:-")
    assert expand("${A:-" * 20_000, {})[0] == "${A:-" * 20_000
