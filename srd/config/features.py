"""What upstream has and srd does not: one warning per feature, at the place that asks for it.

Why this file exists: a document written for upstream must load, and its owner must know what it
will not get. When a feature arrives, its row goes away here. A part that is switched off, or left
at its default, asks for nothing.
"""

from collections.abc import Callable, Iterator, Mapping

from srd.config.document import Document
from srd.config.problems import Problems, join, quote
from srd.signals.table import TABLE

__all__ = ["EVALUATED_PLUGINS", "warn_of_missing"]

#: Plugin types that srd carries out; any other does nothing.
EVALUATED_PLUGINS = frozenset(
    ("system_prompt", "header_mutation", "fast_response", "request_params")
)

#: Keys of a backend that make upstream rewrite paths and keys (section 1.3).
_PROFILE = (
    "base_url",
    "provider",
    "auth_header",
    "auth_prefix",
    "extra_headers",
    "api_version",
    "chat_path",
    "api_key",
    "api_key_env",
)

#: Model folders that nothing in srd would ask: the tasks are not there, or the embedding is pooled
#: in another way than `srd.classify.catalog` reads.
_UNREAD_SYSTEM = (
    "fact_check_classifier",
    "hallucination_detector",
    "hallucination_explainer",
    "feedback_detector",
)
_UNREAD_EMBEDDINGS = ("qwen3_model_path", "gemma_model_path", "multimodal_model_path")

#: What upstream does with several modelRefs when nothing else is said.
_DEFAULT_SELECTION = 'the default selection algorithm "knn"'

#: Feature and the paths that ask for it.
Asked = Iterator[tuple[str, str]]


def warn_of_missing(document: Document, problems: Problems) -> None:
    """One warning per feature that the document asks for and srd does not have."""
    asked: dict[str, list[str]] = {}
    for finder in _FINDERS:
        for feature, path in finder(document, problems):
            asked.setdefault(feature, []).append(path)
    for feature, paths in asked.items():
        more = f", also at {paths[1]}" if len(paths) == 2 else ""
        more = f", also at {len(paths) - 1} other places" if len(paths) > 2 else more
        problems.warn(
            paths[0], f"srd does not have {feature}{more}", _HINTS.get(feature, "ignored")
        )


def _signals(document: Document, problems: Problems) -> Asked:
    signals = document.routing.signals
    for entry in TABLE:
        rules = signals.of(entry)
        if rules and not entry.evaluated:
            yield f"the signal {entry.name}", entry.path
        for index, rule in enumerate(rules):
            for feature, key in entry.missing(rule):
                yield feature, join(join(entry.path, index), key)
    for key in ("partitions", "scores", "mappings"):
        if getattr(document.routing.projections, key):
            yield "projections", f"routing.projections.{key}"


def _decisions(document: Document, problems: Problems) -> Asked:
    selection = document.global_.router.model_selection
    is_static = selection is not None and (not selection.enabled or selection.method == "static")
    for index, decision in enumerate(document.routing.decisions):
        path = f"routing.decisions[{index}]"
        if decision.algorithm is not None and decision.algorithm.type not in ("", "static"):
            kind = decision.algorithm.type
            yield f"the selection algorithm {quote(kind)}", f"{path}.algorithm.type"
        if decision.algorithm is None and len(decision.model_refs) > 1 and not is_static:
            yield _DEFAULT_SELECTION, join(path, "modelRefs")
        for key in ("adaptations", "candidateIterations", "emits", "output_contract"):
            if problems.written(join(path, key)) and _not_empty(document, path, key):
                yield f"{key} of decisions", join(path, key)
        if decision.output_contract_spec is not None:
            yield "output_contract of decisions", f"{path}.output_contract_spec"
        for number, plugin in enumerate(decision.plugins):
            enabled = getattr(plugin.configuration, "enabled", True)
            if plugin.type and plugin.type not in EVALUATED_PLUGINS and enabled:
                yield (
                    _PLUGIN_FEATURES.get(plugin.type, f"the plugin {plugin.type}"),
                    f"{path}.plugins[{number}]",
                )


def _not_empty(document: Document, path: str, key: str) -> bool:
    index = int(path[path.rindex("[") + 1 : -1])
    attribute = {"candidateIterations": "candidate_iterations"}.get(key, key)
    return bool(getattr(document.routing.decisions[index], attribute))


def _top(document: Document, problems: Problems) -> Asked:
    for key in ("listeners", "entrypoints", "recipes"):
        if getattr(document, key):
            yield key, key


def _providers(document: Document, problems: Problems) -> Asked:
    for index, model in enumerate(document.providers.models):
        path = f"providers.models[{index}]"
        if model.api_format == "anthropic":
            yield "translation to the Anthropic API", join(path, "api_format")
        if model.pricing is not None:
            yield "pricing", join(path, "pricing")
        if model.reliability is not None:
            yield "reliability", join(path, "reliability")
        for number, ref in enumerate(model.backend_refs):
            for key in _PROFILE:
                if getattr(ref, key):
                    yield "provider profiles", f"{path}.backend_refs[{number}].{key}"


def _router(document: Document, problems: Problems) -> Asked:
    router = document.global_.router
    path = "global.router"
    if router.config_source == "kubernetes":
        yield "configuration from Kubernetes resources", f"{path}.config_source"
    selection = router.model_selection
    if selection and selection.enabled and selection.method not in ("", "static"):
        name = quote(selection.method)
        yield f"the selection algorithm {name}", f"{path}.model_selection.method"
    if router.learning and router.learning.enabled:
        yield "learning", f"{path}.learning"


def _services(document: Document, problems: Problems) -> Asked:
    services, path = document.global_.services, "global.services"
    if services.api.batch_classification is not None:
        yield "the HTTP batch classification API", f"{path}.api.batch_classification"
    if services.response_api and services.response_api.enabled:
        yield "the Responses API", f"{path}.response_api"
    if services.router_replay and services.router_replay.enabled:
        yield "router_replay", f"{path}.router_replay"
    if services.startup_status and services.startup_status.store_backend not in ("", "file"):
        yield "a startup status store", f"{path}.startup_status"
    if services.management_api is not None:
        yield "management_api", f"{path}.management_api"
    windowed = services.observability.metrics.windowed_metrics
    if windowed and windowed.enabled:
        yield "windowed metrics", f"{path}.observability.metrics.windowed_metrics"
    if services.observability.tracing.enabled:
        yield "tracing", f"{path}.observability.tracing"
    if services.authz and services.authz.providers:
        yield "keys of users", f"{path}.authz.providers"
    if services.ratelimit and services.ratelimit.providers:
        yield "ratelimit", f"{path}.ratelimit"


def _stores(document: Document, problems: Problems) -> Asked:
    stores, tools = document.global_.stores, document.global_.integrations.tools
    for key, store in (
        ("response_cache", stores.response_cache),
        ("semantic_cache", stores.semantic_cache),
    ):
        if store and store.enabled:
            yield "response_cache", f"global.stores.{key}"
    if stores.memory and stores.memory.enabled:
        yield "memory", "global.stores.memory"
    if stores.vector_store and stores.vector_store.enabled:
        yield "vector stores", "global.stores.vector_store"
    if tools and tools.enabled:
        yield "tools", "global.integrations.tools"
    if document.global_.integrations.looper is not None:
        yield "the looper", "global.integrations.looper"


def _catalog(document: Document, problems: Problems) -> Asked:
    catalog, path = document.global_.model_catalog, "global.model_catalog"
    modules = catalog.modules
    if catalog.external:
        yield "external models", f"{path}.external"
    if catalog.kbs:
        yield "knowledge bases", f"{path}.kbs"
    for part, place, keys in (
        (catalog.system, f"{path}.system", _UNREAD_SYSTEM),
        (catalog.embeddings.semantic, f"{path}.embeddings.semantic", _UNREAD_EMBEDDINGS),
    ):
        for key in keys:
            if getattr(part, key):
                yield "models of that kind", join(place, key)
    if catalog.embeddings.semantic.endpoint is not None:
        yield "remote embeddings", f"{path}.embeddings.semantic.endpoint"
    for key, module in (
        ("classifier.mcp", modules.classifier.mcp),
        ("prompt_compression", modules.prompt_compression),
        ("hallucination_mitigation", modules.hallucination_mitigation),
        ("modality_detector", modules.modality_detector),
    ):
        if module and module.enabled:
            yield f"the module {key}", f"{path}.modules.{key}"


_FINDERS: tuple[Callable[[Document, Problems], Asked], ...] = (
    _top,
    _providers,
    _signals,
    _decisions,
    _router,
    _services,
    _stores,
    _catalog,
)

#: Plugins that share a feature with another part of the document.
_PLUGIN_FEATURES: Mapping[str, str] = {
    "response_cache": "response_cache",
    "router_replay": "router_replay",
    "memory": "memory",
    "tools": "tools",
}

_HINTS: dict[str, str] = {
    "listeners": "the gateway's own configuration says where it listens",
    "entrypoints": "their model names are unknown to srd",
    "recipes": "only the top-level routing is used",
    "reliability": "it belongs in the gateway's configuration",
    "provider profiles": "paths, keys and headers of backends are the gateway's",
    "management_api": "use --admin",
    "the looper": "for its grpc_max_msg_size_mb use global.router.limits.max_message_bytes",
    _DEFAULT_SELECTION: (
        "the choice is by weight, else the first; write `algorithm: {type: static}`"
    ),
    "models of that kind": "nothing would ask it",
}
_HINTS.update((f"the signal {entry.name}", "its leaves never match") for entry in TABLE)
