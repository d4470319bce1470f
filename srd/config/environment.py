"""Environment variables inside text: `$V`, `${V}`, `${V:-default}`, `${V-default}`, `$$`.

Why this file exists: the syntax is upstream's (section 1.1) and is small enough to state in one
place. It must not know YAML.
"""

import re
from collections.abc import Mapping

__all__ = ["expand"]

#: How far a default is looked for, and how deep defaults may nest; beyond, text stays as written.
MAX_DEFAULT = 4096
MAX_NESTING = 16

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MARK = re.compile(r"\$\{|\}")


def expand(text: str, env: Mapping[str, str]) -> tuple[str, frozenset[str]]:
    """The text with its variables replaced, and the names that were unset and had no default.

    An unset variable is empty. `:-` replaces an unset or empty one, `-` an unset one only; a
    default may hold variables itself. `$$` is one dollar; a `$` before anything else stays.
    Values are not expanded again.
    """
    unset: set[str] = set()
    return _expand(text, env, unset), frozenset(unset)


def _expand(text: str, env: Mapping[str, str], unset: set[str]) -> str:
    out: list[str] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        out.append(text[at:dollar])
        following = text[dollar + 1 : dollar + 2]
        if following == "$":
            out.append("$")
            at = dollar + 2
            continue
        braced = _braced(text, dollar) if following == "{" else None
        if braced is not None:
            name, operator, default, at = braced
            out.append(_value(name, operator, default, env, unset))
        elif (match := _NAME.match(text, dollar + 1)) is not None:
            out.append(_value(match.group(), "", "", env, unset))
            at = match.end()
        else:
            out.append("$")
            at = dollar + 1
    out.append(text[at:])
    return "".join(out)


def _value(name: str, operator: str, default: str, env: Mapping[str, str], unset: set[str]) -> str:
    value = env.get(name)
    if operator and (value is None or (operator == ":-" and not value)):
        return _expand(default, env, unset)
    if value is None:
        unset.add(name)
        return ""
    return value


def _braced(text: str, dollar: int) -> tuple[str, str, str, int] | None:
    """Name, operator, default and end of a `${...}`; None when it is not one."""
    match = _NAME.match(text, dollar + 2)
    if match is None:
        return None
    at = match.end()
    operator = next((mark for mark in (":-", "-") if text.startswith(mark, at)), "")
    if not operator:
        return (match.group(), "", "", at + 1) if text.startswith("}", at) else None
    start = match.end() + len(operator)
    depth = 1
    for mark in _MARK.finditer(text, start, start + MAX_DEFAULT):
        depth += 1 if mark.group() == "${" else -1
        if depth == 0:
            return match.group(), operator, text[start : mark.start()], mark.end()
        if depth > MAX_NESTING:
            return None
    return None
