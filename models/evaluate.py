"""Measures the shipped folder on the held-back test split; prints, plots, and fills the card.

    python models/evaluate.py --data DIR [--fp32 models/.work/encoder.fp32.onnx] [--quick]

Why this file exists: every figure in the model card comes from here. It reads the int8 graph and
the manifest that are shipped, and only rows of the test split.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from srd_train import augment, data, measures, plots
from srd_train.common import DEFAULT, DOMAINS, RESULTS, SEED, WINDOWS, Log
from srd_train.data import Row
from srd_train.runtime import Model, log_softmax

LENGTHS = (16, 32, 64, 128, 256, 512)
#: Characters of documents before a question that the largest window then never reaches.
BEYOND = 3400


def main() -> None:
    """Measure all heads and write results.json and the curves."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data/train"
    )
    parser.add_argument("--model", type=Path, default=DEFAULT)
    parser.add_argument("--fp32", type=Path, help="the unquantized graph, to compare with")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="a quarter of the rows")
    options = parser.parse_args()
    log, model = Log(), Model(options.model)
    tasks = {name: data.part(rows, "test") for name, rows in data.tasks(options.data).items()}
    sets = domain_sets(tasks["domain"], model, quick=options.quick)
    results: dict[str, Any] = {
        "model": model.manifest["version"],
        "quick": options.quick,
        "domain": {},
    }
    for name, rows in sets.items():
        results["domain"][name] = domain(model, rows, log, name)
    results["jailbreak"] = jailbreak(model, tasks["jailbreak"], tasks["domain"], log)
    results["pii"] = pii(model, tasks["pii"], tasks["domain"], log)
    results["embedding"] = embedding(model, sets["mmlu-pro"] + sets["prompts"], log)
    results["latency"] = latency(model, log)
    if options.fp32:
        results["fp32"] = against_fp32(model, options.fp32, sets["mmlu-pro"], log)
    options.out.mkdir(exist_ok=True)
    (options.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    plots.draw(results, options.out)
    log(f"written to {options.out}")


def domain_sets(rows: list[Row], model: Model, *, quick: bool) -> dict[str, list[Row]]:
    """Return the named test sets.

    `beyond 64 tokens` is the part of MMLU-Pro and of the prompts that a first window does not hold.
    `wrapped` surrounds questions with system prompts and documents; where the question comes last,
    no reader of a beginning can know it. `beyond the window` puts documents of its own domain
    before the question, more of them than 512 tokens.
    """
    english = [row for row in rows if row.lang == "English"]
    sets = {
        "mmlu-pro": [row for row in rows if row.source == "mmlu-pro"],
        "prompts": [row for row in rows if row.source == "own-prompt"],
        "topics": [row for row in rows if row.source == "own-topic"],
        "public": [r for r in english if r.source != "mmlu-pro" and not r.source.startswith("own")][
            :500
        ],
        "exams-qa": [row for row in rows if row.source == "exams-qa"][:400],
        "languages": [row for row in rows if row.source == "own-foreign"],
    }
    sets["beyond 64 tokens"] = [
        row
        for row in sets["mmlu-pro"] + sets["prompts"]
        if len(model.graph.encode(row.text, LENGTHS[-1]).ids) > 64
    ]
    rng = random.Random(SEED + 9)
    for row in sets["mmlu-pro"][::2] + sets["prompts"]:
        text = augment.surround(row, english, rng, whole=True)
        place = "first" if text.startswith(row.text) else "last"
        sets.setdefault(f"wrapped, question {place}", []).append(Row(text, "long", row.domain))
    for row in sets["mmlu-pro"][::6] + sets["prompts"][::3]:
        documents = augment.passages(row, english, rng, same=True, least=BEYOND)
        text = f"{documents}\n\n{row.text}"
        sets.setdefault("beyond the window", []).append(Row(text, "long", row.domain))
    step = 4 if quick else 1
    return {name: chosen[::step] for name, chosen in sets.items()}


def domain(model: Model, rows: list[Row], log: Log, name: str) -> dict[str, Any]:
    """Measure one domain set: the complete text, accuracy per length, the cascade."""
    texts = [row.text for row in rows]
    wanted = np.array([DOMAINS.index(row.domain or "") for row in rows])
    encoder = {n: model.domain_log(texts, n) for n in LENGTHS}
    linear = {n: model.linear_log(texts, n) for n in LENGTHS}
    mixed = {
        n: model.mix(encoder[n], linear[n], model.density(texts, n), max(n, WINDOWS[0]))
        for n in LENGTHS
    }
    full, first = mixed[512], model.first(linear[512], texts)
    result = measures.classification(full, wanted, DOMAINS)
    result["rows"] = len(rows)
    languages = sorted({row.lang for row in rows})
    if len(languages) > 1:
        right = full.argmax(1) == wanted
        result["by_language"] = {
            language: round(float(right[[row.lang == language for row in rows]].mean()), 4)
            for language in languages
        }
    result["encoder_accuracy"] = measures.accuracy(encoder[512], wanted)
    result["linear_accuracy"] = measures.accuracy(linear[512], wanted)
    result["by_tokens"] = {str(n): measures.accuracy(mixed[n], wanted) for n in LENGTHS}
    result["cascade"] = measures.cascade(first, full, wanted)
    chosen = model.manifest["first_stage"]["confidence"]
    result["at_threshold"] = measures.at_confidence(first, full, wanted, chosen)
    result["by_window"] = by_window(first, mixed, wanted)
    log(f"domain {name}: {measures.brief(result)}")
    return result


def by_window(
    first: np.ndarray, mixed: dict[int, np.ndarray], wanted: np.ndarray
) -> list[dict[str, float]]:
    """Return, per early-decision confidence, which share each stage answers and the accuracy."""
    rows = []
    for sure in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        open_, chosen, shares = np.ones(len(wanted), bool), np.zeros(len(wanted), int), {}
        for stage, scores in (("linear", first), *((str(w), mixed[w]) for w in WINDOWS)):
            answers = open_ & ((scores.max(1) >= sure) | (stage == "512"))
            chosen[answers] = scores.argmax(1)[answers]
            shares[stage] = round(float(answers.mean()), 4)
            open_ &= ~answers
        rows.append(
            {"confidence": sure, **shares, "accuracy": round(float((chosen == wanted).mean()), 4)}
        )
    return rows


def jailbreak(model: Model, rows: list[Row], domain_rows: list[Row], log: Log) -> dict[str, Any]:
    """Measure the jailbreak head on public and own test rows, and on everyday prompts."""
    everyday = [row for row in domain_rows if row.source.startswith("own")]
    rows = rows + [Row(row.text, f"everyday, {_tongue(row)}", jailbreak=0) for row in everyday]
    difference = model.jailbreak([row.text for row in rows])
    wanted = np.array([row.jailbreak for row in rows])
    risk = model.risk(difference)
    threshold = model.manifest["thresholds"]["jailbreak"]
    result: dict[str, Any] = {
        "rows": len(rows),
        "attacks": int(wanted.sum()),
        "threshold": threshold,
    }
    own = np.array([row.source.startswith(("own", "everyday")) for row in rows])
    result["all"] = measures.binary(risk, wanted, threshold)
    result["public"] = measures.binary(risk[~own], wanted[~own], threshold)
    result["own"] = measures.binary(risk[own], wanted[own], threshold)
    result["flagged_by_source"] = {
        f"{source} ({'attack' if label else 'benign'})": [round(float(v), 4), int(n)]
        for source, label, v, n in measures.flagged(
            [r.source for r in rows], wanted, risk >= threshold
        )
    }
    log(f"jailbreak {json.dumps(result)}")
    return result


def pii(model: Model, rows: list[Row], domain_rows: list[Row], log: Log) -> dict[str, Any]:
    """Measure entity F1 (same span and type) and the share of clean prompts without a hit."""
    threshold = model.manifest["thresholds"]["pii"]
    result: dict[str, Any] = {"threshold": threshold}
    for served in (True, False):
        found = [measures.above(model.pii(row.text, rules=served), threshold) for row in rows]
        for name, keep in (("all", None), ("public", "presidio"), ("own", "own")):
            pairs = [
                (f, list(row.spans or ()))
                for f, row in zip(found, rows, strict=True)
                if not keep or row.source.startswith(keep)
            ]
            result[name if served else f"{name}, head alone"] = measures.entities(pairs)
    clean = [row.text for row in rows if not row.spans]
    own = [row for row in domain_rows if row.source.startswith("own")]
    prompts = [row.text for row in own if row.lang == "English"]
    foreign = [row.text for row in own if row.lang != "English"]
    questions = [row.text for row in domain_rows if row.source == "mmlu-pro"]
    sets = {"clean": clean, "own prompts": prompts, "languages": foreign, "mmlu-pro": questions}
    for name, texts in sets.items():
        free = np.mean([not measures.above(model.pii(text), threshold) for text in texts])
        result[f"without a hit: {name}"] = [round(float(free), 4), len(texts)]
    log(f"pii {json.dumps(result)}")
    return result


def _tongue(row: Row) -> str:
    return "English" if row.lang == "English" else "other languages"


def embedding(model: Model, rows: list[Row], log: Log) -> dict[str, float]:
    """Compare the shipped embedding with the frozen backbone's: same texts, pairwise similarity."""
    import torch
    from srd_train import net
    from srd_train.encoder import inputs, tokenizer

    texts = [row.text for row in rows[:400]]
    ours = model.embed(texts)
    frozen, encode, theirs = net.Network(1).eval(), tokenizer(512), []
    with torch.no_grad():
        for text in texts:
            ids, mask = inputs([encode.encode(text).ids])
            theirs.append(frozen.embed(frozen.layers(ids, mask), mask)[0].numpy())
    result = measures.similarity(ours, np.stack(theirs))
    log(f"embedding {result}")
    return result


def latency(model: Model, log: Log) -> dict[str, float]:
    """Return milliseconds: the least of repeated runs, one thread, batch 1, all heads."""
    result = {}
    outputs = ["domain_logits", "jailbreak_logits", "pii_logits", "embedding"]
    for tokens in (32, *WINDOWS):
        ids = [101, *[2054] * (tokens - 2), 102]
        model.graph.run(ids, outputs)
        result[f"{tokens} tokens, all heads"] = _least(
            lambda ids=ids: model.graph.run(ids, outputs), 12
        )
        result[f"{tokens} tokens, domain"] = _least(
            lambda ids=ids: model.graph.run(ids, outputs[:1]), 12
        )
    text = ("How would you explain the role of interest rates in an open economy? " * 15)[:1024]
    result["first stage, 1 KB"] = _least(lambda: model.linear.logits(text), 200)
    log(f"latency {result}")
    return result


def _least(call: Any, times: int) -> float:
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return round(best * 1000, 3)


def against_fp32(model: Model, path: Path, rows: list[Row], log: Log) -> dict[str, float]:
    """Compare the quantized graph with the original on the same texts."""
    texts = [row.text for row in rows]
    wanted = np.array([DOMAINS.index(row.domain or "") for row in rows])
    small, full = model.domain_log(texts), Model(model.folder, encoder=path).domain_log(texts)
    result = {
        "int8_accuracy": measures.accuracy(small, wanted),
        "fp32_accuracy": measures.accuracy(full, wanted),
        "same_answer": round(float((small.argmax(1) == full.argmax(1)).mean()), 4),
        "kl": round(
            float((np.exp(full) * (log_softmax(full) - log_softmax(small))).sum(1).mean()), 5
        ),
    }
    log(f"int8 against fp32 {result}")
    return result


if __name__ == "__main__":
    main()
