"""What several commands need: logging, the configuration, the classifier.

Why this file exists: `serve`, `classify` and `explain` must build the same policy the same way.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Literal

import click

from srd.classify.api import Classifier, ClassifierUnavailable, ModelError
from srd.config import ConfigErrors, Document, load, load_default
from srd.config.problems import render
from srd.exchange.policy import Policy, build_policy, needed_heads
from srd.signals.catalog import compile_signals

EXIT_CONFIG, EXIT_START = 1, 2

_log = logging.getLogger("srd.classify")

#: What `srd classify` tells of every prompt, whatever the configuration needs.
CLASSIFY_HEADS = frozenset({"domain", "jailbreak", "pii"})


def say_why(source: object, errors: ConfigErrors) -> None:
    """Every error of a document on stderr, as `srd check` prints them."""
    for problem in errors.problems:
        click.echo(render(str(source), problem), err=True)


def classifier_for(
    document: Document,
    *,
    model_dir: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
    heads: frozenset[str] = frozenset(),
) -> Classifier | None:
    """The classifier that a document needs (plus `heads`), or None when it needs none.

    A head for which the document names a folder of the operator's own comes from there; a folder
    that upstream would have downloaded is a warning in the log, and the shipped model answers.

    :raises ModelError: if it cannot be loaded; the message names the reason.
    """
    needed = needed_heads(compile_signals(document, classifier=None)) | heads
    if not needed:
        return None
    from srd.classify.catalog import upstream_folders
    from srd.classify.factory import open_classifier

    catalog = document.global_.model_catalog
    folders, notes = upstream_folders(catalog, needed)
    for note in notes:
        _log.warning(note)
    return open_classifier(
        model_dir,
        device=device,
        threads=threads,
        heads=needed,
        upstream=folders,
        jailbreak_labels=catalog.modules.prompt_guard.positive_labels,
        max_inspect_tokens=document.global_.router.blocking.max_inspect_tokens,
    )


def open_policy(
    config: Path | None,
    *,
    model_dir: Path | None = None,
    threads: int | None = None,
    heads: frozenset[str],
) -> tuple[Policy, Classifier]:
    """The policy of a file (or the embedded one) and a classifier with at least `heads`.

    Ends the command with one clear sentence when either cannot be had.
    """
    try:
        loaded = load_default() if config is None else load(config)
        classifier = classifier_for(
            loaded.document, model_dir=model_dir, threads=threads, heads=heads
        )
        assert classifier is not None
        return build_policy(loaded.document, classifier), classifier
    except ConfigErrors as errors:
        say_why(config, errors)
        sys.exit(EXIT_CONFIG)
    except (OSError, ClassifierUnavailable, ModelError) as error:
        click.echo(f"srd cannot start: {error}", err=True)
        sys.exit(EXIT_START)
