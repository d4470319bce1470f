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
