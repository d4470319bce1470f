"""`global`: how the router itself behaves.

Why this file exists: one module per part of the v0.3 document. Blocks of features that srd does not
have are typed only as far as needed to see whether they are switched on; what is warned about lives
in `srd.config.features`.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from srd.config.base import Fraction, Name, NotNegative, Opaque, OpenPart, Part, Positive, Word
from srd.config.catalog import ModelCatalog
from srd.config.routing import Strategy

__all__ = [
    "BatchClassification",
    "Blocking",
    "Conversation",
    "EarlyDecision",
    "EvidenceRules",
    "Global",
    "HumanTemplate",
    "Limits",
    "Memo",
    "ModelCatalog",
    "Observability",
    "Router",
    "Services",
    "SkipProcessing",
    "StreamedBody",
    "Tracing",
]


class Memo(Part, frozen=True, kw_only=True):
    """Ours: decisions remembered by the hash of a conversation's prefix."""

    enabled: bool = True
    max_entries: Positive = 65536
    ttl_seconds: Positive = 3600


class EarlyDecision(Part, frozen=True, kw_only=True):
    """Ours.

    When a body need not be read to its end. Bodies up to `budget_bytes` are decided on complete
    evidence; `tail_insertion` is for gateways whose routing ignores headers. `parity` false lets
    BUFFERED decide on the whole body, as upstream does.
    """

    enabled: bool = True
    parity: bool = True
    budget_bytes: NotNegative = 65536
    min_tokens: Positive = 64
    max_tokens: Positive = 512
    confidence: Fraction = 0.85
    budget_ms: Positive = 500
    max_held_bytes: Positive = 1048576
    late_model_bytes: NotNegative | None = None
    tail_insertion: bool = False
    assume_auto: bool = False
    memo: Memo = msgspec.field(default_factory=Memo)

    @property
    def name_bytes(self) -> int:
        """A model name counts if its value ends within this many bytes of the inflated body.

        `late_model_bytes` where it is written, at most `max_held_bytes`; else 0 for the older
        `assume_auto: true`, else `budget_bytes`.
        """
        written = self.late_model_bytes
        if written is None:
            written = 0 if self.assume_auto else self.budget_bytes
        return min(written, self.max_held_bytes)


class HumanTemplate(Part, frozen=True, kw_only=True):
    """Ours: prompts that a program writes around what a human said.

    A text that begins with one of `starts` is decided as the last line that one of `markers` leads
    in; it ends at the line's end, or in front of one of `ends`.
    """

    name: Name
    starts: tuple[Word, ...]
    markers: tuple[Word, ...] = ()
    ends: tuple[Word, ...] = ()


class EvidenceRules(Part, frozen=True, kw_only=True):
    """Ours: what of a user's message no human wrote.

    `harness_blocks`: `<name>` stands for everything from that tag to its closing tag, `[...]` for
    itself, a line break and words for all from there on, other words for a text that begins with
    them. Either list replaces the defaults (docs/evidence.md).
    """

    harness_blocks: tuple[Word, ...] | None = None
    templates: tuple[HumanTemplate, ...] | None = None


class Blocking(Part, frozen=True, kw_only=True):
    """Ours: what happens where a blocking rule was not evaluated.

    `on_error` allow lets such a request pass, as upstream does; `mode` observe counts and logs what
    would be refused, and refuses nothing. `max_inspect_tokens` is what the encoder reads of one
    request at most, after a cheaper stage has read all of it.
    """

    on_error: Literal["refuse", "allow"] = "refuse"
    mode: Literal["enforce", "observe"] = "enforce"
    max_inspect_tokens: Positive = 8192


class Conversation(Part, frozen=True, kw_only=True):
    """Ours: how later turns of a conversation move it.

    `leave` is the confidence with which a later turn's subject must differ. `pins` is for turns
    that only the model which made them can read: hold stays on that model, drop removes them.
    """

    leave: Fraction = 0.5
    pins: Literal["hold", "drop"] = "hold"


class StreamedBody(Part, frozen=True, kw_only=True):
    """`max_bytes` 0 means no cap, `timeout_sec` 0 no deadline.

    Ours differs from upstream in the defaults: `enabled` is true and the deadline 30 s, so that
    nothing is a silent no-op.
    """

    enabled: bool = True
    max_bytes: NotNegative = 0
    timeout_sec: NotNegative = 30
    early_decision: EarlyDecision = msgspec.field(default_factory=EarlyDecision)


class SkipProcessing(Part, frozen=True, kw_only=True):
    """Whether the request header `x-vsr-skip-processing: true` is honoured."""

    enabled: bool = False


class Limits(Part, frozen=True, kw_only=True):
    """Ours: what one process may be asked to hold."""

    max_message_bytes: Positive = 67108864
    max_streams: Positive = 4096
    max_held_bytes_total: Positive = 268435456
    max_request_bytes_held: Positive = 33554432
    max_inflated_bytes: Positive = 268435456
    max_inflate_ratio: Positive = 200
    idle_timeout_sec: NotNegative = 60
    classify_timeout_ms: Positive = 2000


class ModelSelection(OpenPart, frozen=True, kw_only=True):
    """Upstream's selectors among several modelRefs."""

    enabled: bool = True
    method: str = ""


class Learning(OpenPart, frozen=True, kw_only=True):
    """Upstream's online adaptation."""

    enabled: bool = False


class Router(Part, frozen=True, kw_only=True):
    """`auto_model_names` replaces the list of names that are routed; `auto_model_name` adds one.

    Ours: `compressed` keep leaves a body packed where no byte of it is edited; `unknown_models`
    pass is for adapters that are loaded at run time; `message_timeout_ms` is how long an answer
    may be withheld in STREAMED; `conversation` last_message decides every turn anew, as upstream;
    `blocking_applies_to` all lets a named model wait for the blocking rules too.
    """

    config_source: Literal["", "file", "kubernetes"] = ""
    strategy: Strategy = ""
    auto_model_name: str = ""
    auto_model_names: tuple[Name, ...] | None = None
    include_config_models_in_list: bool = False
    clear_route_cache: bool = True
    compressed: Literal["keep", "inflate"] = "keep"
    unknown_models: Literal["refuse", "pass"] = "refuse"
    debug_header: Literal["off", "on", "loopback"] = "on"
    message_timeout_ms: Positive = 150
    evidence: EvidenceRules = msgspec.field(default_factory=EvidenceRules)
    conversation: Literal["hold", "last_message"] = "hold"
    conversation_hold: Conversation = msgspec.field(default_factory=Conversation)
    blocking: Blocking = msgspec.field(default_factory=Blocking)
    blocking_applies_to: Literal["auto", "all"] = "auto"
    streamed_body: StreamedBody = msgspec.field(default_factory=StreamedBody)
    skip_processing: SkipProcessing = msgspec.field(default_factory=SkipProcessing)
    limits: Limits = msgspec.field(default_factory=Limits)
    model_selection: ModelSelection | None = None
    learning: Learning | None = None


class SizeRange(Part, frozen=True, kw_only=True):
    """A labelled range of batch sizes."""

    min: int = 0
    max: int = 0
    label: str = ""


class BatchMetrics(Part, frozen=True, kw_only=True):
    """Metrics of upstream's batch API."""

    enabled: bool = True
    sample_rate: Fraction = 1.0
    detailed_goroutine_tracking: bool = False
    high_resolution_timing: bool = False
    duration_buckets: tuple[float, ...] = ()
    size_buckets: tuple[float, ...] = ()
    batch_size_ranges: tuple[SizeRange, ...] = ()


class BatchClassification(Part, frozen=True, kw_only=True):
    """Bounds of the HTTP batch API."""

    max_batch_size: NotNegative = 100
    concurrency_threshold: NotNegative = 5
    max_concurrency: NotNegative = 8
    metrics: BatchMetrics | None = None


class Api(Part, frozen=True, kw_only=True):
    """The HTTP classification API."""

    batch_classification: BatchClassification | None = None


class ResponseApi(Part, frozen=True, kw_only=True):
    """OpenAI Responses translated to chat completions."""

    enabled: bool = True
    store_backend: str = ""
    ttl_seconds: NotNegative = 86400
    max_responses: NotNegative = 1000
    redis: Opaque | None = None


class RouterReplay(OpenPart, frozen=True, kw_only=True):
    """Recorded routing decisions."""

    enabled: bool = False
    store_backend: str = ""
    ttl_seconds: NotNegative = 2592000
    async_writes: bool = False


class StartupStatus(OpenPart, frozen=True, kw_only=True):
    """Where upstream writes that it has started."""

    store_backend: str = ""


class ManagementAuth(Part, frozen=True, kw_only=True):
    """Tokens of the management API."""

    mode: Literal["", "disabled", "bearer"] = ""
    tokens: tuple[Opaque, ...] = ()
    roles: Mapping[str, tuple[str, ...]] = {}


class ManagementApi(Part, frozen=True, kw_only=True):
    """Where the management API listens. srd takes `--admin` instead."""

    bind_address: str = ""
    port: NotNegative | None = None
    remote_exposure: bool = False
    auth: ManagementAuth | None = None


class WindowedMetrics(Part, frozen=True, kw_only=True):
    """Upstream's metrics over sliding windows."""

    enabled: bool = False
    time_windows: tuple[Word, ...] = ()
    update_interval: Word = ""
    model_metrics: bool = False
    queue_depth_estimation: bool = False
    max_models: NotNegative = 0


class Metrics(Part, frozen=True, kw_only=True):
    """The Prometheus endpoint."""

    enabled: bool = True
    windowed_metrics: WindowedMetrics | None = None


class TraceExporter(Part, frozen=True, kw_only=True):
    """Where spans go."""

    type: Literal["", "otlp", "stdout"] = ""
    endpoint: str = ""
    insecure: bool = True


class TraceSampling(Part, frozen=True, kw_only=True):
    """Which traces are kept."""

    type: Literal[
        "", "always_on", "always_off", "probabilistic", "traceidratio", "trace_id_ratio"
    ] = ""
    rate: Fraction = 1.0


class TraceResource(Part, frozen=True, kw_only=True):
    """What the service calls itself."""

    service_name: str = "vllm-sr"
    service_version: Word = "v0.3.0"
    deployment_environment: str = "development"


class Tracing(Part, frozen=True, kw_only=True):
    """Spans.

    Upstream's default is on with an endpoint of its own; ours is off until an endpoint is named
    here or by `OTEL_*` (`enabled` None).
    """

    enabled: bool | None = None
    provider: str = "opentelemetry"
    exporter: TraceExporter = msgspec.field(default_factory=TraceExporter)
    sampling: TraceSampling = msgspec.field(default_factory=TraceSampling)
    resource: TraceResource = msgspec.field(default_factory=TraceResource)


class Observability(Part, frozen=True, kw_only=True):
    """Metrics and traces."""

    metrics: Metrics = msgspec.field(default_factory=Metrics)
    tracing: Tracing = msgspec.field(default_factory=Tracing)


class AuthzIdentity(Part, frozen=True, kw_only=True):
    """Headers that say who asks.

    `trusted` is ours: unset, rules read them as upstream does; false, they are ignored and removed.
    """

    user_id_header: str = "x-authz-user-id"
    user_groups_header: str = "x-authz-user-groups"
    trusted: bool | None = None


class Authz(Part, frozen=True, kw_only=True):
    """Upstream API keys per user."""

    fail_open: bool = False
    identity: AuthzIdentity | None = None
    providers: tuple[Opaque, ...] = ()


class Ratelimit(Part, frozen=True, kw_only=True):
    """Limits per user, group and model."""

    fail_open: bool = False
    providers: tuple[Opaque, ...] = ()


class Services(Part, frozen=True, kw_only=True):
    """What runs beside the router."""

    api: Api = msgspec.field(default_factory=Api)
    response_api: ResponseApi | None = None
    router_replay: RouterReplay | None = None
    startup_status: StartupStatus | None = None
    management_api: ManagementApi | None = None
    observability: Observability = msgspec.field(default_factory=Observability)
    authz: Authz | None = None
    ratelimit: Ratelimit | None = None


class Store(OpenPart, frozen=True, kw_only=True):
    """A store of a feature; only whether it is on matters here."""

    enabled: bool = False
    backend_type: str = ""
    embedding_model: str = ""


class ResponseCacheStore(OpenPart, frozen=True, kw_only=True):
    """Where cached answers live."""

    enabled: bool = True
    backend_type: str = ""
    similarity_threshold: Fraction | None = None
    max_entries: NotNegative = 1000
    ttl_seconds: NotNegative = 3600
    eviction_policy: Literal["", "fifo", "lru", "lfu"] = ""
    embedding_model: str = ""


class Stores(Part, frozen=True, kw_only=True):
    """What is kept between requests. `semantic_cache` is upstream's old name of the first."""

    response_cache: ResponseCacheStore | None = None
    semantic_cache: ResponseCacheStore | None = None
    memory: Store | None = None
    vector_store: Store | None = None


class ToolsIntegration(Part, frozen=True, kw_only=True):
    """A database of tools."""

    enabled: bool = False
    top_k: NotNegative = 3
    similarity_threshold: Fraction | None = None
    tools_db_path: str = ""
    fallback_to_empty: bool = True
    advanced_filtering: Opaque | None = None


class Looper(OpenPart, frozen=True, kw_only=True):
    """Upstream's multi-call executor.

    `grpc_max_msg_size_mb` is upstream's bound on a gRPC message; ours is
    `global.router.limits.max_message_bytes`.
    """

    endpoint: str = ""
    timeout_seconds: NotNegative | None = None
    retry_count: NotNegative | None = None
    headers: Mapping[str, Word] = {}
    grpc_max_msg_size_mb: NotNegative | None = None
    max_response_bytes_mb: NotNegative | None = None


class Integrations(Part, frozen=True, kw_only=True):
    """What the router reaches out to."""

    tools: ToolsIntegration | None = None
    looper: Looper | None = None


class Global(Part, frozen=True, kw_only=True):
    """How the router itself behaves."""

    router: Router = msgspec.field(default_factory=Router)
    services: Services = msgspec.field(default_factory=Services)
    stores: Stores = msgspec.field(default_factory=Stores)
    integrations: Integrations = msgspec.field(default_factory=Integrations)
    model_catalog: ModelCatalog = msgspec.field(default_factory=ModelCatalog)
