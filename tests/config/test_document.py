import pytest

from srd.config.document import Document
from srd.config.globals import Global, Router
from srd.config.providers import ProviderDefaults, ProviderModel, Providers, ReasoningFamily
from srd.config.routing import Lora, ModelCard, Routing

QWEN = ReasoningFamily(type="chat_template_kwargs", parameter="enable_thinking")
GPT = ReasoningFamily(type="reasoning_effort", parameter="reasoning_effort")

DOCUMENT = Document(
    providers=Providers(
        defaults=ProviderDefaults(
            default_model="base", reasoning_families={"qwen3": QWEN, "gpt": GPT}
        ),
        models=(
            ProviderModel(name="base", reasoning_family="qwen3", provider_model_id="org/base"),
            ProviderModel(name="both", reasoning_family="gpt"),
            ProviderModel(name="bare"),
        ),
    ),
    routing=Routing(
        model_cards=(
            ModelCard(name="base", loras=(Lora(name="math"), Lora(name="both"))),
            ModelCard(name="both"),
            ModelCard(name="bare", loras=(Lora(name="thin"),)),
        )
    ),
)


def _router(**fields: object) -> Document:
    return Document(global_=Global(router=Router(**fields)))


@pytest.mark.parametrize(
    ("router", "names"),
    [
        ({}, {"vllm-sr/auto", "auto", "MoM"}),
        ({"auto_model_name": "smart"}, {"vllm-sr/auto", "auto", "smart"}),
        ({"auto_model_names": ("a", " b ", "")}, {"a", "b"}),
        ({"auto_model_names": (), "auto_model_name": "smart"}, set()),
    ],
)
def test_the_names_that_are_routed_can_be_renamed_and_replaced(
    router: dict[str, object], names: set[str]
) -> None:
    assert _router(**router).auto_names() == names


def test_cards_and_adapters_are_known_models() -> None:
    assert DOCUMENT.known_models() == {"base", "math", "both", "bare", "thin"}


def test_without_cards_the_providers_models_are_known() -> None:
    document = Document(providers=Providers(models=(ProviderModel(name="x"),)))
    assert document.known_models() == {"x"}


def test_an_adapter_has_its_base_card_provider_and_family() -> None:
    card, provider = DOCUMENT.card_of("math"), DOCUMENT.provider_of("math")
    assert card is not None
    assert card.name == "base"
    assert provider is not None
    assert provider.name == "base"
    assert DOCUMENT.reasoning_family_of("math") == ("qwen3", QWEN)


def test_a_card_comes_before_an_adapter_of_the_same_name() -> None:
    card = DOCUMENT.card_of("both")
    assert card is not None
    assert card.name == "both"
    assert DOCUMENT.reasoning_family_of("both") == ("gpt", GPT)


def test_a_model_without_family_or_provider_has_none() -> None:
    assert DOCUMENT.reasoning_family_of("bare") is None
    assert DOCUMENT.reasoning_family_of("thin") is None
    assert DOCUMENT.reasoning_family_of("nobody") is None
    assert DOCUMENT.provider_of("nobody") is None
    assert DOCUMENT.card_of("nobody") is None


@pytest.mark.parametrize(
    ("routing", "router", "strategy"),
    [
        ("", "", "priority"),
        ("", "confidence", "confidence"),
        ("priority", "confidence", "priority"),
    ],
)
def test_the_routings_strategy_comes_before_the_routers(
    routing: str, router: str, strategy: str
) -> None:
    document = Document(
        routing=Routing(strategy=routing), global_=Global(router=Router(strategy=router))
    )
    assert document.strategy == strategy


def test_a_document_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        DOCUMENT.version = "v0.4"  # type: ignore[misc]


def test_the_repr_counts() -> None:
    assert repr(DOCUMENT) == "<Document v0.3 decisions=0 models=5 default=base>"


def test_it_knows_which_decisions_block_and_which_only_answer(take) -> None:
    answer = "plugins: [{type: fast_response, configuration: {message: No.}}]"
    document = take(f"""
routing:
  signals: {{keywords: [{{name: k, operator: OR, keywords: [x]}}], domains: [{{name: law}}]}}
  decisions:
    - {{name: stop, rules: {{type: keyword, name: k}}, {answer}}}
    - {{name: hello, rules: {{type: keyword, name: k}}, {answer}, blocking: false}}
    - {{name: law, rules: {{type: domain, name: law}}, {answer}}}
    - {{name: quiet, rules: {{type: domain, name: law}}, modelRefs: [{{model: m}}], blocking: true}}
    - {{name: route, rules: {{type: domain, name: law}}, modelRefs: [{{model: m}}]}}
""")
    assert document.blocking == {"stop", "quiet"}
    assert document.canned == {"hello", "law"}
