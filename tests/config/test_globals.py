import pytest

from srd.config.globals import Global


def test_what_the_document_does_not_say_has_the_documented_defaults() -> None:
    router = Global().router
    early = router.streamed_body.early_decision
    assert (router.clear_route_cache, router.skip_processing.enabled) == (True, False)
    assert (router.streamed_body.enabled, router.streamed_body.max_bytes) == (True, 0)
    assert router.streamed_body.timeout_sec == 30
    assert (early.enabled, early.tail_insertion, early.assume_auto) == (True, False, False)
    assert (early.budget_bytes, early.budget_ms, early.max_held_bytes) == (65536, 500, 1048576)
    assert (early.min_tokens, early.max_tokens, early.confidence) == (64, 512, 0.85)
    assert (early.memo.enabled, early.memo.max_entries, early.memo.ttl_seconds) == (
        True,
        65536,
        3600,
    )
    limits = router.limits
    assert (limits.max_message_bytes, limits.max_streams) == (67108864, 4096)
    assert (limits.max_held_bytes_total, limits.idle_timeout_sec) == (268435456, 60)


def test_user_values_are_merged_over_the_defaults(take) -> None:
    document = take("global: {router: {streamed_body: {early_decision: {confidence: 0.5}}}}")
    streamed = document.global_.router.streamed_body
    assert streamed.early_decision.confidence == 0.5
    assert streamed.early_decision.budget_bytes == 65536
    assert streamed.timeout_sec == 30


def test_thresholds_of_the_classifiers_have_upstreams_defaults() -> None:
    modules = Global().model_catalog.modules
    assert modules.classifier.domain.threshold == 0.5
    assert modules.classifier.pii.threshold == 0.9
    assert modules.prompt_guard.threshold == 0.7


@pytest.mark.parametrize(
    ("written", "name_bytes"),
    [
        ("", 65536),
        ("budget_bytes: 3000", 3000),
        ("assume_auto: true", 0),
        ("late_model_bytes: 0", 0),
        ("late_model_bytes: 7", 7),
        ("late_model_bytes: 1048576", 1048576),
        ("late_model_bytes: 9999999", 1048576),  # never more than may be held
        ("late_model_bytes: 9999999, max_held_bytes: 500", 500),
        ("assume_auto: true, late_model_bytes: 7", 7),  # what is written wins
        ("assume_auto: false, budget_bytes: 100", 100),
    ],
)
def test_how_far_a_models_name_counts(take, written, name_bytes) -> None:
    document = take(f"global: {{router: {{streamed_body: {{early_decision: {{{written}}}}}}}}}")
    assert document.global_.router.streamed_body.early_decision.name_bytes == name_bytes


def test_what_becomes_of_odd_bodies_has_the_documented_defaults() -> None:
    router = Global().router
    assert (router.compressed, router.unknown_models, router.debug_header) == (
        "keep",
        "refuse",
        "on",
    )
    assert (router.message_timeout_ms, router.streamed_body.early_decision.parity) == (150, True)
    assert (router.limits.max_inflated_bytes, router.limits.max_inflate_ratio) == (268435456, 200)
