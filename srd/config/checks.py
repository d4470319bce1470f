"""What must hold between the parts of a document: names that exist, names that are unique.

Why this file exists: a dangling name in a router is a request that goes somewhere else than its
operator thinks. Each check is one function over one part. It must not know YAML: the document may
hold placeholders where decoding already reported a problem, and those are passed over.
"""

from collections.abc import Iterable, Sequence

from srd.config.document import Document
from srd.config.plugins import FastResponseConfig
from srd.config.problems import Problems, closest, join, quote
from srd.config.providers import ProviderModel
from srd.config.rulechecks import check_rule_tree, check_signals
from srd.config.rules import leaves
from srd.config.valuechecks import check_values
from srd.signals.table import BY_NAME, switched_off

__all__ = ["check"]

_DEFAULTS = "providers.defaults"
_VERSION = "v0.3"


def check(document: Document, problems: Problems) -> None:
    """Report every broken reference, duplicate and impossible combination."""
    _version(document, problems)
    _switched_off(document, problems)
    _auto_names(document, problems)
    _cards(document, problems)
    _providers(document, problems)
    _defaults(document, problems)
    check_signals(document, problems)
    _decisions(document, problems)
    _recipes(document, problems)
    check_values(document, problems)


def unique(problems: Problems, path: str, names: Iterable[str], what: str) -> None:
    """Report names that stand twice in the list at `path`; empty ones were reported before."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if not name:
            continue
        if name in first:
            problems.error(
                join(join(path, index), "name"),
                f"there are two {what} named {quote(name)}",
                f"the first is {join(path, first[name])}",
            )
        else:
            first[name] = index


def _version(document: Document, problems: Problems) -> None:
    if document.version not in ("", _VERSION):
        what = f"{quote(document.version)} is not a version that srd knows"
        problems.warn("version", what, f"read as {_VERSION}")


def _switched_off(document: Document, problems: Problems) -> None:
    """A leaf whose classifier is off never matches, so its owner should know."""
    trees = [decision.rules for decision in document.routing.decisions]
    used = {leaf.type for tree in trees for leaf in leaves(tree)}
    for kind in sorted(used & switched_off(document.global_.model_catalog.modules)):
        path = f"global.model_catalog.modules.{BY_NAME[kind].module}.enabled"
        what = f"the {kind} classifier is switched off, and decisions have {kind} conditions"
        problems.warn(path, what, "they never match")


def _auto_names(document: Document, problems: Problems) -> None:
    router, known = document.global_.router, document.known_models()
    path = "global.router.auto_model_name" + ("" if router.auto_model_names is None else "s")
    for name in sorted(document.auto_names() & known):
        what = f"{quote(name)} is a model too: nobody can ask for it, it is always routed"
        problems.warn(path, what)


def _cards(document: Document, problems: Problems) -> None:
    path = "routing.modelCards"
    cards = document.routing.model_cards
    unique(problems, path, (card.name for card in cards), "model cards")
    for index, card in enumerate(cards):
        where = join(join(path, index), "loras")
        unique(problems, where, (lora.name for lora in card.loras), "adapters")


def _providers(document: Document, problems: Problems) -> None:
    models = document.providers.models
    unique(problems, "providers.models", (model.name for model in models), "provider models")
    cards = [card.name for card in document.routing.model_cards]
    families = document.providers.defaults.reasoning_families
    for index, model in enumerate(models):
        path = f"providers.models[{index}]"
        if cards and model.name and model.name not in cards:
            _dangling(problems, join(path, "name"), "model card", model.name, cards)
        family = model.reasoning_family
        if (
            family
            and family not in families
            and not _unsure(problems, _DEFAULTS, "reasoning_families")
        ):
            _dangling(
                problems, join(path, "reasoning_family"), "reasoning family", family, families
            )
        refs = model.backend_refs
        if model.name and model == ProviderModel(name=model.name) and not _faulty(problems, path):
            problems.error(path, "the entry says nothing but a name", "give it backend_refs")
        unique(problems, join(path, "backend_refs"), (ref.name for ref in refs), "backends")
        for number, ref in enumerate(refs):
            if not ref.endpoint and not ref.base_url:
                where = join(join(path, "backend_refs"), number)
                problems.error(where, "a backend needs an endpoint or a base_url")


def _defaults(document: Document, problems: Problems) -> None:
    path = join(_DEFAULTS, "default_model")
    known = document.known_models()
    if document.default_model:
        if known and document.default_model not in known:
            _dangling(problems, path, "model card or adapter", document.default_model, known)
    elif not problems.broken(path) and document.routing.decisions:
        problems.warn(
            path, "no default_model: a request that no decision matches has no model to go to"
        )
    for name, family in document.providers.defaults.reasoning_families.items():
        if family.type == "top_level_reasoning_effort" and family.parameter != "reasoning_effort":
            where = join(join(join(_DEFAULTS, "reasoning_families"), name), "parameter")
            if family.parameter:
                problems.error(
                    where, "the parameter of top_level_reasoning_effort must be reasoning_effort"
                )


def _decisions(document: Document, problems: Problems) -> None:
    path = "routing.decisions"
    decisions = document.routing.decisions
    unique(problems, path, (decision.name for decision in decisions), "decisions")
    for index, decision in enumerate(decisions):
        where = join(path, index)
        check_rule_tree(document, problems, decision.rules, join(where, "rules"))
        _model_refs(document, problems, index)
        _plugins(document, problems, index)
        if (
            not decision.model_refs
            and not document.default_model
            and decision.plugin(FastResponseConfig) is None
            and not problems.broken(join(where, "modelRefs"))
        ):
            problems.error(where, "no modelRefs, no fast_response plugin and no default_model")


def _model_refs(document: Document, problems: Problems, index: int) -> None:
    known = document.known_models()
    for number, ref in enumerate(document.routing.decisions[index].model_refs):
        path = f"routing.decisions[{index}].modelRefs[{number}]"
        if not ref.model:
            continue
        if known and ref.model not in known:
            _dangling(problems, join(path, "model"), "model card", ref.model, known)
        elif ref.lora_name:
            card = document.card_of(ref.model)
            loras = [lora.name for lora in card.loras] if card else []
            if ref.lora_name not in loras:
                problems.error(
                    join(path, "lora_name"),
                    f"model {quote(ref.model)} has no adapter {quote(ref.lora_name)}",
                    closest(ref.lora_name, loras),
                )


def _plugins(document: Document, problems: Problems, index: int) -> None:
    first: dict[str, int] = {}
    for number, plugin in enumerate(document.routing.decisions[index].plugins):
        if not plugin.type:
            continue
        path = f"routing.decisions[{index}].plugins"
        if plugin.type in first:
            problems.error(
                join(join(path, number), "type"),
                f"there are two plugins of type {quote(plugin.type)}",
                f"the first is {join(path, first[plugin.type])}",
            )
        first.setdefault(plugin.type, number)


def _recipes(document: Document, problems: Problems) -> None:
    unique(problems, "recipes", (recipe.name for recipe in document.recipes), "recipes")


def _dangling(problems: Problems, path: str, what: str, name: str, known: Iterable[str]) -> None:
    names: Sequence[str] = sorted(known)
    problems.error(path, f"there is no {what} {quote(name)}", closest(name, names))


def _faulty(problems: Problems, path: str) -> bool:
    """True when something inside the mapping at `path` was refused."""
    return any(problem.path.startswith(path) for problem in problems.errors)


def _unsure(problems: Problems, path: str, key: str) -> bool:
    """True when the part that would declare names was itself refused."""
    return problems.broken(join(path, key))
