"""What is wrong with a document, as values.

Why this file exists: every check reports into the same list, so that a person sees all that is
wrong at once, in the order of the file. It must not know what is checked.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = [
    "ConfigErrors",
    "Position",
    "Problem",
    "Problems",
    "closest",
    "join",
    "nearest",
    "quote",
    "render",
]

#: Line and column, both from 1.
Position = tuple[int, int]

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or that srd takes differently than the document may hope.

    `path` is the place in the document ("routing.decisions[3].rules.conditions[0].name"; "" is the
    document itself), `line` the line in the file, `hint` what to write instead.
    """

    path: str
    what: str
    hint: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.what}" + (f" ({self.hint})" if self.hint else "")


class ConfigErrors(Exception):  # noqa: N818 - it carries many
    """The document is refused. `problems` holds every reason, in the order of the file."""

    def __init__(
        self, source: str, problems: Sequence[Problem], warnings: Sequence[Problem] = ()
    ) -> None:
        self.source = source
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        return "\n".join(render(self.source, problem) for problem in self.problems)


def render(source: str, problem: Problem, level: str = "") -> str:
    """`FILE:LINE: path: what (hint)`, the form that editors jump to; `level` before the path."""
    line = "" if problem.line is None else f"{problem.line}:"
    return f"{source}:{line} {level + ': ' if level else ''}{problem}"


class Problems:
    """Collects errors and warnings, and knows where in the file each path stands."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []
        self._at: dict[int, Position] = {}
        self._broken: set[str] = set()

    def place(self, path: str, position: Position) -> None:
        """Remember where the value of `path` stands."""
        self.positions[path] = position

    def written(self, path: str) -> bool:
        """True when the document itself has a value at `path`."""
        return path in self.positions

    def error(self, path: str, what: str, hint: str = "", position: Position | None = None) -> None:
        """The document cannot be used."""
        self._errors.append(self._problem(path, what, hint, position))
        self._broken.add(path)

    def warn(self, path: str, what: str, hint: str = "", position: Position | None = None) -> None:
        """The document can be used, and someone should know this."""
        self._warnings.append(self._problem(path, what, hint, position))

    def broken(self, path: str) -> bool:
        """True when an error stands exactly at `path`: what refers to it is not to blame."""
        return path in self._broken

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Every error, in the order of the file."""
        return self._sorted(self._errors)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Every warning, in the order of the file."""
        return self._sorted(self._warnings)

    def _problem(self, path: str, what: str, hint: str, position: Position | None) -> Problem:
        at = position or self._nearest(path)
        problem = Problem(path, what, hint, at[0] if at else None)
        self._at[id(problem)] = at or (0, 0)
        return problem

    def _nearest(self, path: str) -> Position | None:
        """Where `path` stands, or the closest mapping or list around it that is written."""
        while path:
            if path in self.positions:
                return self.positions[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.positions.get("")

    def _sorted(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        return tuple(sorted(problems, key=lambda p: (self._at[id(p)], p.path)))


def join(path: str, key: str | int) -> str:
    """The path of a member: `a.b`, `a[3]`, `a["odd key"]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{quote(key)}]"


def quote(text: str) -> str:
    """A value as it is shown in a message: in double quotes, on one line, not endless."""
    shown = text if len(text) <= 60 else text[:57] + "..."
    return '"' + "".join(c if c.isprintable() else repr(c)[1:-1] for c in shown) + '"'


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that `word` is most likely a slip of, or None."""
    plain = {_plain(name): name for name in known}
    if (same := plain.get(_plain(word))) is not None:
        return same
    near = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=cutoff)
    return plain[near[0]] if near else None


def closest(word: str, known: Iterable[str]) -> str:
    """A hint: `did you mean "x"?`, else the names known when they are few, else ""."""
    names = list(dict.fromkeys(known))
    if (near := nearest(word, names)) is not None:
        return f"did you mean {quote(near)}?"
    if 0 < len(names) <= 8:
        return "known: " + ", ".join(quote(name) for name in names)
    return ""


def _plain(word: str) -> str:
    return re.sub(r"[\s_.-]", "", word).casefold()
