"""Model folders in the upstream router's layout: config, tokenizer, label mapping, ONNX graph.

Why this file exists: operators bring the models that they use with the upstream router (sections
1.14, 1.16 and 3 of the inventory). Everything that identifies a column comes from the folder's own
files, and a folder that contradicts itself is refused. It must not know our own layout.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from srd.classify.api import ModelError
from srd.classify.encoder import PIECE_TOKENS, Encoder, Head, Row
from srd.classify.ort import Device, Session
from srd.classify.tokens import TextTokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: Looked for in this order, in the root and then in onnx/ (upstream's names; the last four are
#: the names that the common exporters give to reduced precision).
GRAPHS = (
    "model_sdpa_fp16.onnx",
    "model.onnx",
    "classifier.onnx",
    "model_optimized.onnx",
    "model_fp16.onnx",
    "model_quantized.onnx",
    "model_int8.onnx",
    "model_uint8.onnx",
)
MAPPINGS = {
    "domain": "category_mapping.json",
    "pii": "pii_type_mapping.json",
    "jailbreak": "jailbreak_type_mapping.json",
}
#: Upstream's truncation of every classifier (section 3.3).
MAX_TOKENS = 512
PII_PIECE_TOKENS = 128
_TO_INDEX = ("category_to_idx", "label_to_idx", "label_to_id")
_TO_LABEL = ("idx_to_category", "idx_to_label", "id_to_label")
#: These count positions from the padding id, so two of them hold no token.
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "xlm-roberta-xl"})
_PLACEHOLDER = re.compile(r"LABEL_\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFolder:
    """A folder, and what the document says of it.

    `mapping` replaces the folder's own label mapping file. `positive` are the jailbreak labels
    that count as risk. `dimensions` cuts embeddings; `layer` picks onnx/layer-N of a
    2D-Matryoshka export.
    """

    path: Path
    mapping: Path | None = None
    positive: tuple[str, ...] = ("jailbreak",)
    dimensions: int | None = None
    layer: int | None = None


def open_encoder(head: str, folder: UpstreamFolder, *, device: Device) -> Encoder:
    """An encoder with the one `head` of a folder; raises ModelError if the folder is not whole."""
    config = _read(folder.path / "config.json")
    labels = () if head == "embedding" else read_labels(head, folder, config)
    session = Session(find_graph(folder), device=device)
    tokenizer = TextTokenizer.load(folder.path / "tokenizer.json")
    if isinstance(pad := config.get("pad_token_id"), int):
        tokenizer.pad = pad  # position ids of some architectures are counted from it in the graph
    pieces = {"jailbreak": PIECE_TOKENS, "pii": PII_PIECE_TOKENS}
    output = _output(head, session)
    encoder = Encoder(
        session,
        tokenizer,
        {head: Head(output=output, labels=labels, piece_tokens=pieces.get(head))},
        max_tokens=_max_tokens(config),
    )
    _probe(encoder, head)
    return encoder


def find_graph(folder: UpstreamFolder) -> Path:
    """The ONNX file of a folder; raises ModelError with the names that were looked for."""
    root = folder.path
    places = [root, root / "onnx"]
    if folder.layer is not None:
        places.insert(0, root / "onnx" / f"layer-{folder.layer}")
    for place in places:
        for name in GRAPHS:
            if (place / name).is_file():
                return place / name
    hint = ""
    if (root / "model.safetensors").is_file():
        hint = " It holds model.safetensors; srd reads ONNX only, so export it first."
    raise ModelError(f"{root}: no ONNX graph; looked for {', '.join(GRAPHS)}, also in onnx/.{hint}")


def read_labels(head: str, folder: UpstreamFolder, config: dict[str, Any]) -> tuple[str, ...]:
    """The labels in column order, from the mapping file, else from config.json.

    Raises ModelError with both lists where the two contradict each other.
    """
    configured = _configured(folder.path / "config.json", config)
    path = folder.mapping or folder.path / MAPPINGS[head]
    if not path.is_file():
        if folder.mapping is not None:
            raise ModelError(f"{path}: no such mapping file.")
        if not configured:
            raise ModelError(f"{folder.path}: neither {path.name} nor id2label names the labels.")
        return configured
    mapped = _mapped(path)
    if configured and [_loose(one) for one in mapped] != [_loose(one) for one in configured]:
        raise ModelError(
            f"{path.name} and config.json of {folder.path} disagree: "
            f"{', '.join(mapped)} against {', '.join(configured)}."
        )
    count = config.get("num_labels")
    if isinstance(count, int) and count != len(mapped):
        raise ModelError(
            f"{path} names {len(mapped)} labels ({', '.join(mapped)}), num_labels is {count}."
        )
    return mapped


def _mapped(path: Path) -> tuple[str, ...]:
    mapping = _read(path)
    tables = {key: value for key, value in mapping.items() if isinstance(value, dict)}
    lists = [
        _ordered(path, ((index, label) for label, index in tables[key].items()))
        for key in _TO_INDEX
        if key in tables
    ] + [_ordered(path, tables[key].items()) for key in _TO_LABEL if key in tables]
    if not lists:
        raise ModelError(f"{path}: none of {', '.join((*_TO_INDEX, *_TO_LABEL))} is in it.")
    for other in lists[1:]:
        if other != lists[0]:
            raise ModelError(
                f"{path} contradicts itself: {', '.join(lists[0])} against {', '.join(other)}."
            )
    return lists[0]


def _configured(path: Path, config: dict[str, Any]) -> tuple[str, ...]:
    """id2label, or nothing when it only holds the exporter's placeholders."""
    entries = config.get("id2label")
    if not isinstance(entries, dict) or not entries:
        return ()
    labels = _ordered(path, entries.items())
    return () if all(_PLACEHOLDER.fullmatch(label) for label in labels) else labels


def _ordered(path: Path, entries: Iterable[tuple[object, object]]) -> tuple[str, ...]:
    try:
        pairs = sorted((int(str(index)), str(label)) for index, label in entries)
    except ValueError as error:
        raise ModelError(f"{path}: an index is not a number: {error}.") from error
    if [index for index, _ in pairs] != list(range(len(pairs))):
        found = ", ".join(f"{index} {label}" for index, label in pairs)
        raise ModelError(f"{path}: indices do not run from 0 without a gap: {found}.")
    return tuple(label for _, label in pairs)


def _loose(label: str) -> str:
    return label.casefold().replace("_", " ")


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: {error}.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path}: not a JSON object.")
    return value


def _max_tokens(config: dict[str, Any]) -> int:
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions <= 0:
        return MAX_TOKENS
    if config.get("model_type") in _OFFSET_POSITIONS:
        positions -= 2
    return min(MAX_TOKENS, positions)


def _output(head: str, session: Session) -> str:
    """The output that a head reads: `logits`, or the token states of an embedding model."""
    names = ("last_hidden_state", "token_embeddings") if head == "embedding" else ("logits",)
    candidates = [name for name in names if name in session.outputs] or list(session.outputs)
    if len(candidates) > 1 and not set(names) & session.outputs.keys():
        raise ModelError(
            f"{session.path}: no output {' or '.join(names)}; "
            f"the graph has {', '.join(candidates)}."
        )
    return candidates[0]


def _probe(encoder: Encoder, head: str) -> None:
    """One forward: shapes that the graph leaves open are known only now."""
    spec, path = encoder.heads[head], encoder.session.path
    ids = encoder.beginning("a few words", MAX_TOKENS).ids
    (output,) = encoder.forward([Row(ids, frozenset({head}))])
    rank, width = output[head].ndim, output[head].shape[-1]
    if head == "embedding":
        return
    if rank != (2 if head == "pii" else 1):
        kind = "a token classifier" if head == "pii" else "a sequence classifier"
        raise ModelError(f"{path}: the output {spec.output!r} is not that of {kind} ({head}).")
    if width != len(spec.labels):
        raise ModelError(
            f"{path}: {spec.output!r} has {width} columns, but {head} has {len(spec.labels)} "
            f"labels: {', '.join(spec.labels)}."
        )
