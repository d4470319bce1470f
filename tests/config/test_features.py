import pytest

from srd.config import loads
from srd.config.features import EVALUATED_PLUGINS
from srd.config.plugins import PLUGIN_TYPES
from srd.signals.catalog import compile_signals
from srd.signals.table import BY_NAME, LEAF_TYPES
from srd.signals.unsupported import UnsupportedSignal

DECISION = "routing: {{decisions: [{{name: a, modelRefs: [{{model: m}}], {}}}]}}"
MODEL = "routing: {{}}\nproviders: {{models: [{{name: m, {}}}]}}"
SIGNALS = "routing: {{signals: {{{}}}}}"
GLOBAL = "global: {{{}}}"

ASKED = [
    ("listeners: [{name: l, port: 80}]\nrouting: {}", "listeners", "listeners"),
    ("entrypoints: [{model_names: [x], recipe: r}]\nrouting: {}", "entrypoints", "entrypoints"),
    ("recipes: [{name: r, routing: {}}]\nrouting: {}", "recipes", "recipes"),
    (MODEL.format("api_format: anthropic"), "providers.models[0].api_format", "Anthropic"),
    (MODEL.format("pricing: {prompt_per_1m: 1}"), "providers.models[0].pricing", "pricing"),
    (MODEL.format("reliability: {retry_count: 2}"), "providers.models[0].reliability",
     "reliability"),
    (MODEL.format("backend_refs: [{base_url: 'https://x/v1'}]"),
     "providers.models[0].backend_refs[0].base_url", "provider profiles"),
    (MODEL.format("backend_refs: [{endpoint: x, api_key_env: K}]"),
     "providers.models[0].backend_refs[0].api_key_env", "provider profiles"),
    (SIGNALS.format("fact_check: [{name: needs_fact_check}]"), "routing.signals.fact_check",
     "the signal fact_check"),
    (SIGNALS.format("user_feedbacks: [{name: satisfied}]"), "routing.signals.user_feedbacks",
     "the signal user_feedback"),
    (SIGNALS.format("reasks: [{name: r}]"), "routing.signals.reasks", "the signal reask"),
    (SIGNALS.format("preferences: [{name: r}]"), "routing.signals.preferences",
     "the signal preference"),
    (SIGNALS.format("modality: [{name: AR}]"), "routing.signals.modality", "the signal modality"),
    (SIGNALS.format("kb: [{name: k, kb: k}]"), "routing.signals.kb", "the signal kb"),
    (SIGNALS.format("classifiers: [{name: k, type: llm}]"), "routing.signals.classifiers",
     "the signal classifier"),
    (SIGNALS.format("domains: [{name: math, model_scores: [{model: m, score: 1}]}]"),
     "routing.signals.domains[0].model_scores", "model_scores"),
    (SIGNALS.format("embeddings: [{name: e, query_modality: image}]"),
     "routing.signals.embeddings[0].query_modality", "images and audio"),
    ("routing: {projections: {scores: [{name: s}]}}", "routing.projections.scores",
     "projections"),
    (DECISION.format("algorithm: {type: knn, knn: {k: 3}}"),
     "routing.decisions[0].algorithm.type", '"knn"'),
    (DECISION.format("algorithm: {type: fusion}"), "routing.decisions[0].algorithm.type",
     '"fusion"'),
    (DECISION.format("emits: [{kind: retention}]"), "routing.decisions[0].emits", "emits"),
    (DECISION.format("candidateIterations: [{}]"),
     "routing.decisions[0].candidateIterations", "candidateIterations"),
    (DECISION.format("adaptations: {x: 1}"), "routing.decisions[0].adaptations", "adaptations"),
    (DECISION.format("output_contract: x"), "routing.decisions[0].output_contract",
     "output_contract"),
    (GLOBAL.format("router: {config_source: kubernetes}"), "global.router.config_source",
     "Kubernetes"),
    (GLOBAL.format("router: {model_selection: {method: elo}}"),
     "global.router.model_selection.method", '"elo"'),
    (GLOBAL.format("router: {learning: {enabled: true, x: 1}}"), "global.router.learning",
     "learning"),
    (GLOBAL.format("services: {api: {batch_classification: {max_batch_size: 9}}}"),
     "global.services.api.batch_classification", "batch"),
    (GLOBAL.format("services: {response_api: {enabled: true}}"), "global.services.response_api",
     "Responses API"),
    (GLOBAL.format("services: {router_replay: {enabled: true}}"),
     "global.services.router_replay", "router_replay"),
    (GLOBAL.format("services: {startup_status: {store_backend: redis}}"),
     "global.services.startup_status", "startup"),
    (GLOBAL.format("services: {management_api: {port: 9}}"), "global.services.management_api",
     "management_api"),
    (GLOBAL.format("services: {observability: {metrics: {windowed_metrics: {enabled: true}}}}"),
     "global.services.observability.metrics.windowed_metrics", "windowed"),
    (GLOBAL.format("services: {authz: {providers: [{type: static-config}]}}"),
     "global.services.authz.providers", "keys of users"),
    (GLOBAL.format("services: {ratelimit: {providers: [{type: local-limiter}]}}"),
     "global.services.ratelimit", "ratelimit"),
    (GLOBAL.format("stores: {response_cache: {enabled: true}}"), "global.stores.response_cache",
     "response_cache"),
    (GLOBAL.format("stores: {semantic_cache: {backend_type: memory}}"),
     "global.stores.semantic_cache", "response_cache"),
    (GLOBAL.format("stores: {memory: {enabled: true}}"), "global.stores.memory", "memory"),
    (GLOBAL.format("stores: {vector_store: {enabled: true}}"), "global.stores.vector_store",
     "vector stores"),
    (GLOBAL.format("integrations: {tools: {enabled: true}}"), "global.integrations.tools",
     "tools"),
    (GLOBAL.format("integrations: {looper: {grpc_max_msg_size_mb: 64}}"),
     "global.integrations.looper", "looper"),
    (GLOBAL.format("model_catalog: {external: [{name: x}]}"), "global.model_catalog.external",
     "external models"),
    (GLOBAL.format("model_catalog: {kbs: [{name: x}]}"), "global.model_catalog.kbs",
     "knowledge bases"),
    (GLOBAL.format("model_catalog: {system: {fact_check_classifier: models/x}}"),
     "global.model_catalog.system.fact_check_classifier", "models of that kind"),
    (GLOBAL.format("model_catalog: {embeddings: {semantic: {gemma_model_path: models/x}}}"),
     "global.model_catalog.embeddings.semantic.gemma_model_path", "models of that kind"),
    (GLOBAL.format("model_catalog: {modules: {prompt_compression: {enabled: true}}}"),
     "global.model_catalog.modules.prompt_compression", "prompt_compression"),
    (GLOBAL.format("model_catalog: {modules: {classifier: {mcp: {enabled: true}}}}"),
     "global.model_catalog.modules.classifier.mcp", "mcp"),
]  # fmt: skip

NOT_ASKED = [
    "listeners: []\nentrypoints: []\nrecipes: []\nrouting: {}",
    MODEL.format("api_format: openai, backend_refs: [{endpoint: x, weight: 3, name: n}]"),
    MODEL.format("provider_model_id: y, external_model_ids: {vllm: z}"),
    SIGNALS.format("kb: [], preferences: [], fact_check: []"),
    GLOBAL.format("model_catalog: {modules: {prompt_guard: {on_error: block}}}"),
    DECISION.format("algorithm: {type: static}, annotations: {team: a}, emits: []"),
    GLOBAL.format("router: {config_source: file, model_selection: {enabled: false, method: knn}}"),
    GLOBAL.format("router: {learning: {enabled: false}, skip_processing: {enabled: true}}"),
    GLOBAL.format("services: {response_api: {enabled: false}, router_replay: {ttl_seconds: 1}}"),
    GLOBAL.format(
        "services: {observability: {tracing: {enabled: false}, metrics: {enabled: true}}}"
    ),
    GLOBAL.format("services: {authz: {identity: {user_id_header: x-user}}}"),
    GLOBAL.format("stores: {response_cache: {enabled: false}, memory: {embedding_model: mmbert}}"),
    GLOBAL.format("integrations: {tools: {enabled: false, top_k: 3}}"),
    GLOBAL.format("model_catalog: {kbs: [], external: []}"),
    GLOBAL.format("model_catalog: {modules: {classifier: {domain: {threshold: 0.6}}}}"),
    GLOBAL.format("model_catalog: {system: {domain_classifier: a, prompt_guard: b}}"),
    GLOBAL.format("model_catalog: {modules: {classifier: {pii: {model_id: models/x}}}}"),
    GLOBAL.format("model_catalog: {embeddings: {semantic: {bert_model_path: models/x}}}"),
    GLOBAL.format("model_catalog: {modules: {hallucination_mitigation: {enabled: false}}}"),
]


def _warnings(text: str) -> list[tuple[str, str]]:
    found = loads(text, env={}).warnings
    return [(w.path, w.what) for w in found if w.what.startswith("srd does not have")]


@pytest.mark.parametrize(("text", "path", "feature"), ASKED)
def test_a_feature_that_srd_does_not_have_is_one_warning_that_names_it(
    text: str, path: str, feature: str
) -> None:
    [(where, what)] = _warnings(text)
    assert where == path
    assert feature in what


@pytest.mark.parametrize("text", NOT_ASKED)
def test_what_is_off_or_at_its_default_is_no_warning(text: str) -> None:
    assert _warnings(text) == []


@pytest.mark.parametrize("kind", sorted(PLUGIN_TYPES))
def test_an_enabled_plugin_warns_exactly_when_srd_does_not_have_it(kind: str) -> None:
    body = {"fast_response": "{message: m}"}.get(kind, "{enabled: true}")
    if kind in ("header_mutation", "request_params"):
        body = "{}"
    text = DECISION.format(f"plugins: [{{type: {kind}, configuration: {body}}}]")
    assert bool(_warnings(text)) is (kind not in EVALUATED_PLUGINS)


@pytest.mark.parametrize("kind", sorted(PLUGIN_TYPES.keys() - EVALUATED_PLUGINS))
def test_a_plugin_that_is_switched_off_is_no_warning(kind: str) -> None:
    text = DECISION.format(f"plugins: [{{type: {kind}, configuration: {{enabled: false}}}}]")
    assert _warnings(text) == []


def test_a_feature_asked_for_in_many_places_is_still_one_warning() -> None:
    cache = "plugins: [{type: response_cache, configuration: {enabled: true}}]"
    decisions = ", ".join(f"{{name: d{n}, modelRefs: [{{model: m}}], {cache}}}" for n in range(3))
    stores = "\nglobal: {stores: {response_cache: {enabled: true}}}"
    [(path, what)] = _warnings(f"routing: {{decisions: [{decisions}]}}{stores}")
    assert path == "routing.decisions[0].plugins[0]"
    assert what == "srd does not have response_cache, also at 3 other places"


def test_every_evaluated_plugin_is_a_plugin_type() -> None:
    assert set(PLUGIN_TYPES) > EVALUATED_PLUGINS


@pytest.mark.parametrize("leaf_type", LEAF_TYPES)
def test_a_signal_counts_as_had_exactly_when_it_compiles_to_a_real_one(
    take, one_leaf, leaf_type: str
) -> None:
    [signal] = compile_signals(take(one_leaf(leaf_type)), classifier=None).signals
    assert isinstance(signal, UnsupportedSignal) is (not BY_NAME[leaf_type].evaluated)


def test_a_choice_among_models_without_an_algorithm_is_a_warning() -> None:
    text = "routing: {decisions: [{name: a, modelRefs: [{model: m}, {model: n}]}]}"
    [(path, what)] = _warnings(text)
    assert (path, what.endswith('"knn"')) == ("routing.decisions[0].modelRefs", True)
    assert _warnings(text + "\nglobal: {router: {model_selection: {method: static}}}") == []
    assert _warnings(text.replace("name: a,", "name: a, algorithm: {type: static},")) == []
