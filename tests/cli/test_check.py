from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from srd.cli.check import check

GOOD = """\
routing:
  modelCards: [{name: base, loras: [{name: math-expert}]}]
  signals: {domains: [{name: math}]}
  decisions:
    - name: math_decision
      rules: {operator: OR, conditions: [{type: domain, name: math}]}
      modelRefs: [{model: base, lora_name: math-expert}]
providers: {defaults: {default_model: base}}
"""


@pytest.fixture
def run(tmp_path: Path):
    def _run(text: str | bytes, *options: str) -> tuple[Result, Path]:
        file = tmp_path / "router.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return CliRunner().invoke(check, [*options, str(file)]), file

    return _run


def test_a_good_document_exits_with_0_and_a_summary(run) -> None:
    result, file = run(GOOD)
    assert result.exit_code == 0
    assert result.output.startswith(f"{file}: good (document, sha256 ")
    assert "math_decision" in result.output
    assert "math-expert" in result.output
    assert "Signals that need the whole body: none." in result.output


def test_all_errors_are_printed_with_file_and_line_and_exit_with_1(run) -> None:
    text = GOOD.replace("name: math_decision", "nam: x").replace(
        "default_model: base", "default: x"
    )
    text = text.replace("lora_name: math-expert", "lora_name: mat-expert")
    result, file = run(text)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f'{file}:5: routing.decisions[0].nam: unknown key (did you mean "name"?)',
        f'{file}:7: routing.decisions[0].modelRefs[0].lora_name: model "base" has no adapter '
        '"mat-expert" (did you mean "math-expert"?)',
        f'{file}:8: providers.defaults.default: unknown key (did you mean "default_model"?)',
        f"{file}:8: warning: providers.defaults.default_model: no default_model: a request that "
        "no decision matches has no model to go to",
        f"{file}: 3 errors",
    ]


def test_warnings_say_that_they_are_warnings(run) -> None:
    result, file = run(GOOD + "listeners: [{name: l}]\n", "--quiet")
    assert result.exit_code == 0
    assert result.output == (
        f"{file}:9: warning: listeners: srd does not have listeners (the gateway's own "
        "configuration says where it listens)\n"
    )


def test_what_an_api_has_no_place_for_is_told_with_its_decision_and_is_no_warning(run) -> None:
    asked = GOOD.replace("lora_name: math-expert}]", "use_reasoning: true}]").replace(
        "providers:",
        "      plugins: [{type: system_prompt, configuration: {system_prompt: Prove it.}}]\n"
        "providers:",
    )
    result, _ = run(asked, "--strict")
    why = "is not carried out on /v1/completions (completions has no place for it)"
    assert result.exit_code == 0
    assert result.output.splitlines()[-2:] == [
        f"reasoning {why}: math_decision.",
        f"system_prompt {why}: math_decision.",
    ]
    assert "not carried out" not in run(asked, "--quiet")[0].output
    assert "not carried out" not in run(GOOD)[0].output


def test_strict_turns_warnings_into_a_refusal(run) -> None:
    assert run(GOOD, "--strict")[0].exit_code == 0
    assert run(GOOD + "listeners: [{name: l}]\n", "--strict")[0].exit_code == 1


@pytest.mark.parametrize("text", ["", "a: [", b"\xff\xfe", "[]", "{}"])
def test_a_file_that_holds_no_document_exits_with_1(run, text: str | bytes) -> None:
    result, file = run(text)
    assert result.exit_code == 1
    assert str(file) in result.output


def test_a_file_that_cannot_be_read_exits_with_2(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.yaml", tmp_path):
        result = CliRunner().invoke(check, [str(path)])
        assert result.exit_code == 2
        assert str(path) in result.output


def test_the_help_tells_the_exit_status() -> None:
    result = CliRunner().invoke(check, ["--help"])
    assert result.exit_code == 0
    assert "Exit status:" in result.output
    assert "  2  FILE cannot be read\n" in result.output
    assert "\\b" not in result.output
