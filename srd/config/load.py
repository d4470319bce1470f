"""A file to a Document: read, parse, decode, check.

Why this file exists: it is the one door to the configuration; `srd serve`, `srd check` and the
reload go through it alike. It must not know what the document is used for.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from srd.config.blockchecks import warn_of_blocking
from srd.config.checks import check
from srd.config.decode import MAX_TEXT, Decoder
from srd.config.document import Document
from srd.config.domains import declare_domains
from srd.config.features import warn_of_missing
from srd.config.jsontext import parse_json
from srd.config.nodes import Map, Node, Unreadable, parse_yaml
from srd.config.problems import ConfigErrors, Position, Problem, Problems, nearest, quote

__all__ = ["Loaded", "load", "load_default", "loads"]

Kind = Literal["document", "helm values"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A document that can be used.

    `sha256` is that of the text as it stands in the file, before environment variables. `kind`
    tells whether the text was the document itself or a Helm values file with it under `config:`.
    """

    document: Document
    warnings: tuple[Problem, ...]
    sha256: str
    kind: Kind
    source: str

    def __repr__(self) -> str:
        return (
            f"<Loaded {self.source} ({self.kind}) {self.document!r} "
            f"warnings={len(self.warnings)} sha256={self.sha256[:12]}>"
        )


def load(path: str | os.PathLike[str], env: Mapping[str, str] | None = None) -> Loaded:
    """The document in a YAML or JSON file; symbolic links are followed.

    Raises OSError when the file cannot be read, ConfigErrors (all problems at once) when it cannot
    be used. `env` is the environment by default.
    """
    with Path(path).open("rb") as file:
        data = file.read(MAX_TEXT + 1)
    return loads(data, source=os.fspath(path), env=env)


def loads(
    text: str | bytes, *, source: str = "<text>", env: Mapping[str, str] | None = None
) -> Loaded:
    """The document in a text. Raises ConfigErrors."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    problems = Problems()
    root, kind = _parse(data, source, problems)
    document = Decoder(problems, os.environ if env is None else env).document(root)
    if isinstance(root, Map) and not {"routing", "global"} & root.entries.keys():
        near = (nearest(key, ("config", "routing", "global")) for key in root.entries)
        hint = next((f"did you mean {quote(name)}?" for name in near if name), "")
        if "config" in root.entries:
            hint = "under config: there is no mapping" if kind == "document" else "config: is twice"
        problems.error("", "the document has neither routing nor global", hint)
    document = declare_domains(document)
    check(document, problems)
    warn_of_missing(document, problems)
    if problems.errors:
        raise ConfigErrors(source, problems.errors, problems.warnings)
    warn_of_blocking(document, problems)
    digest = hashlib.sha256(data).hexdigest()
    return Loaded(document, problems.warnings, digest, kind, source)


def load_default() -> Loaded:
    """The configuration inside the package, for commands that are given none."""
    text = resources.files("srd.config").joinpath("default.yaml").read_bytes()
    return loads(text, source="the default configuration", env={})


def _parse(data: bytes, source: str, problems: Problems) -> tuple[Node, Kind]:
    """The document's node, out of a Helm values file where it is one. Raises ConfigErrors."""
    if len(data) > MAX_TEXT:
        raise _refused(source, "the file is larger than 16 MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refused(source, f"byte {error.start} is not UTF-8", line) from None
    try:
        root = _tree(text, problems)
    except Unreadable as error:
        raise _refused(source, error.what, error.position[0] if error.position else None) from None
    inner = root.entries.get("config") if isinstance(root, Map) else None
    return (inner, "helm values") if isinstance(inner, Map) else (root, "document")


def _tree(text: str, problems: Problems) -> Node:
    if not text.lstrip().startswith(("{", "[")):
        more: list[Position] = []
        root = parse_yaml(text, more)
        for position in more:
            problems.warn("", "a second YAML document begins here", "ignored", position)
        return root
    try:
        return parse_json(text)
    except Unreadable as json_error:
        try:
            return parse_yaml(text)  # a YAML flow mapping looks like JSON too
        except Unreadable:
            raise json_error from None


def _refused(source: str, what: str, line: int | None = None) -> ConfigErrors:
    return ConfigErrors(source, [Problem("", what, "", line)])
