"""Keys of older layouts that are refused, each with what to write instead.

Why this file exists: upstream refuses these as well (section 1.1), because taking them silently
would change where requests go. A path's list indices are written `[]`.
"""

from collections.abc import Mapping

__all__ = ["LEGACY_KEYS"]

_CARD = "write it in the model's entry of routing.modelCards"
_BACKEND = "write it in an entry of the model's backend_refs"
_ALGORITHM = "the algorithm was removed upstream; use `type: static` or leave algorithm out"

LEGACY_KEYS: Mapping[str, str] = {
    "routing.models": "models are declared in routing.modelCards",
    "providers.model_targets": "targets are the backend_refs of providers.models[]",
    "providers.backends": "backends are the backend_refs of providers.models[]",
    "providers.auth_profiles": "keys are the api_key or api_key_env of a model's backend_refs",
    "providers.default_model": "write it as providers.defaults.default_model",
    "providers.reasoning_families": "write it as providers.defaults.reasoning_families",
    "providers.default_reasoning_effort": "write it as providers.defaults.default_reasoning_effort",
    "providers.models[].access": _BACKEND,
    "providers.models[].endpoints": _BACKEND,
    "providers.models[].access_key": "write api_key or api_key_env in the model's backend_refs",
    "providers.models[].param_size": _CARD,
    "providers.models[].context_window_size": _CARD,
    "providers.models[].description": _CARD,
    "providers.models[].capabilities": _CARD,
    "providers.models[].loras": _CARD,
    "providers.models[].quality_score": _CARD,
    "providers.models[].modality": _CARD,
    "providers.models[].tags": _CARD,
    "global.modules": "modules are written in global.model_catalog.modules",
    "global.model_catalog.embeddings.bert": (
        "write its path as global.model_catalog.embeddings.semantic.bert_model_path"
    ),
    "global.model_catalog.classifiers": (
        "classifiers are written in global.model_catalog.modules.classifier"
    ),
    "global.router.streamed_body_mode": "write it as streamed_body.enabled",
    "global.router.max_streamed_body_bytes": "write it as streamed_body.max_bytes",
    "global.router.streamed_body_timeout_sec": "write it as streamed_body.timeout_sec",
    "routing.decisions[].modelSelectionAlgorithm": "write it as algorithm",
    "routing.decisions[].tool_scope": "write a plugin of type tools",
    "routing.decisions[].allow_tools": "write it in the configuration of a plugin of type tools",
    "routing.decisions[].block_tools": "write it in the configuration of a plugin of type tools",
    "routing.decisions[].algorithm.session_aware": _ALGORITHM,
    "routing.decisions[].algorithm.elo": _ALGORITHM,
    "routing.decisions[].algorithm.rl_driven": _ALGORITHM,
    "routing.decisions[].algorithm.gmtrouter": _ALGORITHM,
    "routing.decisions[].algorithm.bandit": _ALGORITHM,
    "routing.signals.structure[].feature.normalize_by": (
        "use a feature of type density, which divides by the text's length"
    ),
    "routing.signals.category_kb": "write it as kb",
    "routing.signals.taxonomy": "write it as kb",
}
