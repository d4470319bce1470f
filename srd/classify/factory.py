"""Opens classifiers: from a model folder to threads that answer.

Why this file exists: it is the only place that knows all the parts. Only it is imported by
start-up code; without a learned signal it loads neither ONNX Runtime nor a tokenizer.
"""

from __future__ import annotations

import os
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from srd.classify import pii_rules
from srd.classify.api import WINDOWS, Ask, ModelError
from srd.classify.encoder import CONTEXT, FULL_HEADS, Encoder, Head
from srd.classify.executor import Batching
from srd.classify.first_stage import FirstStage
from srd.classify.guard import Guard
from srd.classify.inspection import MAX_INSPECT_TOKENS, Inspector
from srd.classify.locate import MANIFEST, model_dir
from srd.classify.manifest import Combine, Manifest, read_manifest
from srd.classify.ort import Device, Session
from srd.classify.scorer import (
    DomainReader,
    JailbreakReader,
    PiiReader,
    Readers,
    Scorer,
)
from srd.classify.service import LocalClassifier, NullClassifier
from srd.classify.spans import BioLabels
from srd.classify.tokens import TextTokenizer
from srd.classify.upstream import UpstreamFolder, open_encoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ALL_HEADS = frozenset({"domain", "jailbreak", "pii", "embedding"})
_WARM_TEXT = "A few words, so that the first prompt pays for nothing but itself. "


def open_classifier(
    model: str | Path | None = None,
    *,
    heads: frozenset[str] = ALL_HEADS,
    device: Device = "auto",
    threads: int | None = None,
    upstream: Mapping[str, UpstreamFolder] = MappingProxyType({}),
    queue_limit: int = 256,
    cache_entries: int = 4096,
    segment_entries: int = 16384,
    max_inspect_tokens: int = MAX_INSPECT_TOKENS,
    batching: Batching | None = None,
    jailbreak_labels: Sequence[str] = ("jailbreak",),
    first_stage: bool = True,
) -> LocalClassifier | NullClassifier:
    """Load, warm up and start a classifier with `heads`; without a head, one that loads nothing.

    `model` is a folder of ours (default: the shipped one); a head named in `upstream` comes from
    that folder instead. `max_inspect_tokens` is what encoders read of one ask for jailbreak and
    pii; `segment_entries` of their answers are remembered. `threads` defaults to the cores less one
    (CPU) or two (GPU). Raises ModelError, naming what is missing, for a folder, a head or a device
    that cannot be had.
    """
    if not heads:
        return NullClassifier()
    encoders: list[Encoder] = []
    readers, linear, manifest = Readers(), None, None
    inspector = Inspector(max_tokens=max_inspect_tokens)
    if own := heads - upstream.keys():
        folder = model_dir(model)
        manifest = read_manifest(folder)
        guard = _guard(folder, manifest) if heads & FULL_HEADS else None
        if guard is not None and manifest.guard is not None:
            inspector = replace(inspector, guard=guard, threshold=manifest.guard.suspicion)
        encoders.append(_own_encoder(folder, manifest, own, device))
        linear = _first_stage(folder, manifest) if "domain" in own else None
        readers = _own_readers(manifest, own, linear, jailbreak_labels, guard)
    for head in sorted(heads & upstream.keys()):
        encoder = open_encoder(head, upstream[head], device=device)
        encoders.append(encoder)
        readers = _with_upstream(readers, head, encoder, upstream[head])
    on_gpu = all(encoder.session.device == "cuda" for encoder in encoders)
    batching = batching or (Batching() if on_gpu else None)
    scorer = Scorer(
        encoders,
        readers,
        max_rows=batching.max_asks if batching else 1,
        inspector=inspector,
    )
    _warm(scorer, every_window=on_gpu)
    return LocalClassifier(
        scorer,
        threads=threads or (2 if on_gpu else max(1, _cores() - 1)),
        first_stage=linear if first_stage else None,
        queue_limit=queue_limit,
        cache_entries=cache_entries,
        segment_entries=segment_entries,
        batching=batching,
        thresholds=manifest.thresholds if manifest else {},
        version=manifest.version if manifest else "",
    )


def _with_upstream(
    readers: Readers, head: str, encoder: Encoder, folder: UpstreamFolder
) -> Readers:
    """The readers with one that reads upstream's model as upstream does (section 1.16)."""
    labels = encoder.heads[head].labels
    if head == "domain":
        return replace(readers, domain=DomainReader(labels=labels))
    if head == "jailbreak":
        positive = positive_columns(labels, folder.positive)
        return replace(readers, jailbreak=JailbreakReader(positive=positive))
    if head == "pii":
        reader = PiiReader(labels=BioLabels(labels), whole_words=False, rules=pii_rules.find)
        return replace(readers, pii=reader)
    return replace(readers, embedding_dimensions=folder.dimensions)


def _own_encoder(
    folder: Path, manifest: Manifest, heads: frozenset[str], device: Device
) -> Encoder:
    entry = manifest.encoder
    if missing := heads - entry.outputs.keys():
        raise ModelError(
            f"{folder / MANIFEST}: the model has no head {', '.join(sorted(missing))}; it has "
            f"{', '.join(sorted(entry.outputs))}."
        )
    chosen = {
        name: Head(
            output=entry.outputs[name],
            labels=tuple(manifest.labels.get(name, ())),
            piece_tokens=entry.pieces.get(name),
        )
        for name in sorted(heads)
    }
    if manifest.guard is not None and "jailbreak" in heads and "embedding" in entry.outputs:
        chosen[CONTEXT] = Head(output=entry.outputs["embedding"])
    return Encoder(
        Session(folder / entry.file, device=device),
        TextTokenizer.load(folder / "tokenizer.json"),
        chosen,
        max_tokens=entry.max_tokens,
    )


def _first_stage(folder: Path, manifest: Manifest) -> FirstStage | None:
    stage = manifest.first_stage
    if stage is None:
        return None
    return FirstStage.load(
        folder / stage.file,
        manifest.labels["domain"],
        temperature=manifest.calibration.domain.linear,
        confidence=stage.confidence,
        max_chars=stage.max_chars,
    )


def _guard(folder: Path, manifest: Manifest) -> Guard | None:
    if manifest.guard is None:
        return None
    path = folder / manifest.guard.file
    try:
        return Guard.load(path)
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"{path}: not a readable guard: {error}.") from error


def _own_readers(
    manifest: Manifest,
    heads: frozenset[str],
    linear: FirstStage | None,
    jailbreak_labels: Sequence[str],
    guard: Guard | None,
) -> Readers:
    domain = jailbreak = pii = None
    if "domain" in heads:
        domain = DomainReader(
            labels=tuple(manifest.labels["domain"]),
            calibration=manifest.calibration.domain,
            first_stage=linear,
            combine=manifest.combine.get("domain", Combine()),
        )
    if "jailbreak" in heads:
        positive = positive_columns(manifest.labels["jailbreak"], jailbreak_labels)
        jailbreak = JailbreakReader(
            positive=positive,
            calibration=manifest.calibration.jailbreak,
            guard=guard,
            entry=manifest.guard,
        )
    if "pii" in heads:
        pii = PiiReader(labels=BioLabels(manifest.labels["pii"]), rules=pii_rules.find)
    return Readers(domain=domain, jailbreak=jailbreak, pii=pii)


def positive_columns(labels: Sequence[str], positive: Sequence[str]) -> tuple[int, ...]:
    """Columns of the positive labels; raises ModelError with both lists if one is unknown."""
    if unknown := [name for name in positive if name not in labels]:
        raise ModelError(
            f"positive labels {', '.join(unknown)} are not among the model's: {', '.join(labels)}."
        )
    return tuple(labels.index(name) for name in positive)


def _warm(scorer: Scorer, *, every_window: bool) -> None:
    """Run once per shape class: a GPU compiles and allocates per size, a CPU only once."""
    for window in WINDOWS if every_window else WINDOWS[:1]:
        text = _WARM_TEXT * (window // 16)
        scorer.score([Ask(text=text, heads=scorer.heads, window=window)])


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
