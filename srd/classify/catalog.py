"""Which folders of its own models an operator names in `global.model_catalog`.

Why this file exists: upstream spreads a model's path, mapping and labels over three places of the
document. It reads them, and only them; it must not open a folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from srd.classify.api import ModelError
from srd.classify.upstream import UpstreamFolder

if TYPE_CHECKING:
    from srd.config.catalog import ModelCatalog, SemanticEmbeddings, SystemModels

#: Folder names that upstream downloads from its hub at start (section 3.1). srd never downloads,
#: so a document that names one which is not there gets the model inside the package, and a note.
DOWNLOADED = frozenset(
    {
        "mmbert32k-intent-classifier-merged",
        "mmbert32k-jailbreak-detector-merged",
        "mmbert32k-pii-detector-merged",
        "mmbert-embed-32k-2d-matryoshka",
        "mmbert32k-intent-classifier-lora",
        "mmbert32k-jailbreak-detector-lora",
        "mmbert32k-pii-detector-lora",
        "all-MiniLM-L12-v2",
    }
)
#: Embedding models that are mean-pooled encoders; the others pool or preprocess in another way.
_MEAN_POOLED = {"mmbert": "mmbert_model_path", "bert": "bert_model_path"}


class _Module(Protocol):
    @property
    def model_id(self) -> str: ...
    @property
    def model_ref(self) -> str: ...


def upstream_folders(
    catalog: ModelCatalog, heads: frozenset[str], root: Path | None = None
) -> tuple[dict[str, UpstreamFolder], list[str]]:
    """The folders for `heads` (for `open_classifier(upstream=...)`), and notes for the log.

    Paths are relative to `root` (the working directory). Raises ModelError for a path that does
    not exist, unless it is one that upstream would download, and for an unknown model_ref.
    """
    root = root or Path()
    folders: dict[str, UpstreamFolder] = {}
    notes: list[str] = []
    for head, found in _named(catalog, root).items():
        if head not in heads or found is None:
            continue
        if found.path.is_dir():
            folders[head] = found
        elif found.path.name in DOWNLOADED:
            notes.append(
                f"{found.path} is not there and srd downloads nothing: "
                f"the model inside the package answers {head}."
            )
        else:
            raise ModelError(f"{found.path}: no such folder (the model for {head}).")
    return folders, notes


def _named(catalog: ModelCatalog, root: Path) -> dict[str, UpstreamFolder | None]:
    system, modules = catalog.system, catalog.modules
    domain, pii = modules.classifier.domain, modules.classifier.pii
    guard = modules.prompt_guard
    found: dict[str, UpstreamFolder | None] = {}
    for head, module, default, mapping in (
        ("domain", domain, system.domain_classifier, domain.category_mapping_path),
        ("pii", pii, system.pii_classifier, pii.pii_mapping_path),
        ("jailbreak", guard, system.prompt_guard, guard.jailbreak_mapping_path),
    ):
        path = _path_of(module, system) or default
        found[head] = (
            UpstreamFolder(
                path=root / path,
                mapping=root / mapping if mapping else None,
                positive=guard.positive_labels,
            )
            if path
            else None
        )
    found["embedding"] = _embedding(catalog.embeddings.semantic, root)
    return found


def _path_of(module: _Module, system: SystemModels) -> str:
    """`model_id` is a path; `model_ref` names an entry of `system`."""
    if module.model_id or not module.model_ref:
        return module.model_id
    if module.model_ref not in system.__struct_fields__:
        raise ModelError(
            f"model_ref {module.model_ref!r} is not one of {', '.join(system.__struct_fields__)}."
        )
    path: str = getattr(system, module.model_ref)
    return path


def _embedding(semantic: SemanticEmbeddings, root: Path) -> UpstreamFolder | None:
    config = semantic.embedding_config
    key = f"{config.model_type}_model_path"
    path: str = getattr(semantic, key, "")
    if path and config.model_type not in _MEAN_POOLED:
        raise ModelError(
            f"{key}: srd reads mean-pooled encoders only (model_type {', '.join(_MEAN_POOLED)})."
        )
    path = path or semantic.bert_model_path
    if not path:
        return None
    return UpstreamFolder(
        path=root / path, dimensions=config.target_dimension, layer=config.target_layer
    )
