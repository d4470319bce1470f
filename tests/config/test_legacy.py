import pytest

from srd.config.legacy import LEGACY_KEYS


def _document(path: str) -> str:
    """A document with one key at `path`, as flow YAML; lists get one item."""
    text = "x"
    for part in reversed(path.split(".")):
        name = part.removesuffix("[]")
        text = f"{{{name}: [{text}]}}" if part.endswith("[]") else f"{{{name}: {text}}}"
    return text


@pytest.mark.parametrize("path", LEGACY_KEYS)
def test_a_legacy_key_is_refused_with_what_to_write_instead(refuse, path: str) -> None:
    problems = {problem.path: problem for problem in refuse(_document(path))}
    problem = problems[path.replace("[]", "[0]")]
    assert problem.what == "this key is no longer taken"
    assert problem.hint == LEGACY_KEYS[path]
    assert len(problem.hint) > 10
