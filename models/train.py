"""One command per step of making the default model. See README.md.

python models/train.py write                  # our own prompts, from their seeds
python models/train.py data      --data DIR   # what there is, and how it is split
python models/train.py linear    --data DIR   # the first stage
python models/train.py encoder   --data DIR   # fine-tune (GPU if there is one)
python models/train.py average   --parts A B  # the mean of runs side by side, if there were several
python models/train.py embedding --data DIR   # refit the embedding's map to the frozen backbone
python models/train.py export                 # ONNX, then int8
python models/train.py calibrate --data DIR   # temperatures, weights, thresholds on dev
python models/train.py guard     --data DIR --benign DIR DIR  # what looks at every window
python models/train.py verdict   --data DIR --benign DIR DIR  # what it says with the encoder
python models/train.py card                   # the model card from the measured results
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from srd_train.common import DEFAULT, ROOT, SEED, Log

if TYPE_CHECKING:
    from srd_train.data import Row
    from srd_train.guard import Document

WORK = ROOT / ".work"


def main() -> None:
    """Parse the step and run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("step", choices=sorted(STEPS))
    parser.add_argument("--data", type=Path, default=ROOT.parent.parent / "shared/data/train")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--out", type=Path, default=DEFAULT)
    parser.add_argument(
        "--minutes", type=float, default=50.0, help="stop the encoder after this long"
    )
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1.5e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="added to the fixed seed")
    parser.add_argument("--parts", nargs="*", default=[], help="checkpoints for `average`")
    parser.add_argument("--start", type=Path, help="continue from this checkpoint")
    parser.add_argument("--name", default="encoder.pt")
    parser.add_argument(
        "--benign", type=Path, nargs="*", default=[], help="folders of ordinary texts for `guard`"
    )
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    STEPS[options.step](options, Log())


def step_write(options: argparse.Namespace, log: Log) -> None:
    """Write our own prompts from the seeds."""
    from srd_train import write_attacks, write_pii, write_prompts

    for module in (write_prompts, write_attacks, write_pii):
        log(f"{module.__name__}: {module.run()} rows")


def step_data(options: argparse.Namespace, log: Log) -> None:
    """Print the split."""
    from srd_train import data

    for name, rows in data.tasks(options.data).items():
        log(f"{name} {len(rows)} {Counter(row.split for row in rows)}")
        for key, count in sorted(Counter((row.source, row.split) for row in rows).items()):
            log(f"  {key}: {count}")


def step_linear(options: argparse.Namespace, log: Log) -> None:
    """Fit the first stage."""
    from srd_train import data, first_stage

    first_stage.fit(data.split(data.load_domain(options.data)), options.out / "linear.npz", log)


def step_encoder(options: argparse.Namespace, log: Log) -> None:
    """Fine-tune."""
    from srd_train import data, encoder, mixture

    train = {name: data.part(rows, "train") for name, rows in data.tasks(options.data).items()}
    daily = mixture.everyday(train["domain"], 7500)
    sets = encoder.Sets(
        domain=mixture.weigh_domain(train["domain"]),
        jailbreak=mixture.weigh_jailbreak(train["jailbreak"] + daily),
        pii=mixture.weigh_pii(train["pii"] + daily),
    )
    plan = encoder.Plan(
        epochs=options.epochs,
        minutes=options.minutes,
        max_tokens=options.max_tokens,
        lr=options.lr,
        head_lr=options.lr * 7,
        threads=options.threads,
        seed=SEED + options.seed,
    )
    trainer = encoder.Trainer(sets, plan, log, start=options.start)
    trainer.run(options.work / options.name)


def step_average(options: argparse.Namespace, log: Log) -> None:
    """Average the weights of runs that started from one checkpoint and saw other batches."""
    from srd_train import net

    loaded = [net.load(options.work / name) for name in options.parts]
    states = [network.state_dict() for network, _ in loaded]
    mean = {key: sum(state[key] for state in states) / len(states) for key in states[0]}
    network, fine = loaded[0]
    network.load_state_dict(mean)
    net.save(network, options.work / options.name, fine)
    log(f"{options.name} is the mean of {', '.join(options.parts)}")


def step_embedding(options: argparse.Namespace, log: Log) -> None:
    """Refit the embedding's linear map on the finished encoder."""
    from srd_train import data, embedding

    rows = data.part(data.split(data.load_domain(options.data)), "train")
    embedding.refit(options.work / options.name, rows, log)


def step_export(options: argparse.Namespace, log: Log) -> None:
    """Write the int8 graph."""
    from srd_train import export

    export.run(options.work / options.name, options.work, options.out, log)


def step_calibrate(options: argparse.Namespace, log: Log) -> None:
    """Fit what dev decides and write the manifest."""
    from srd_train import calibrate

    calibrate.run(options.data, options.out, log)


def step_guard(options: argparse.Namespace, log: Log) -> None:
    """Fit the guard, and enter it in the manifest."""
    from srd_train import guard
    from srd_train.runtime import Model

    rows, docs = _guarded(options)
    model = Model(options.out)
    attacks = [row for row in rows if row.jailbreak and row.split == "train"]
    others = [row for row in rows if not row.jailbreak and row.split == "train"]
    docs = [doc for doc in docs if doc.split == "train"]
    fitted = guard.fit(attacks, docs, others, lambda texts: model.risk(model.jailbreak(texts)), log)
    fitted.save(options.out / "guard.npz")
    guard.enter(options.out)


def step_verdict(options: argparse.Namespace, log: Log) -> None:
    """Fit what guard and encoder say together of a suspected window."""
    from srd_train import guard, verdict
    from srd_train.runtime import Model

    rows, docs = _guarded(options)
    fitted = guard.Guard.load(options.out / "guard.npz")
    attacks = [row for row in rows if row.jailbreak and row.split != "test"]
    docs = [doc for doc in docs if doc.split != "test"]
    verdict.fit(fitted, Model(options.out), attacks, docs, guard.SUSPICION, log)
    fitted.save(options.out / "guard.npz")


def _guarded(options: argparse.Namespace) -> tuple[list[Row], list[Document]]:
    """The rows of attacks and look-alikes, and the ordinary documents, of all splits."""
    from srd_train import data, guard, phrases

    tasks = data.tasks(options.data)
    rows = tasks["jailbreak"] + phrases.rows()
    others = [row for row in data.part(rows, "train") if not row.jailbreak]
    docs = guard.documents(options.benign) + guard.joined_rows(tasks["domain"], "prompts")
    docs += guard.joined_rows(others, "lookalikes", 10)
    return rows, docs


def step_card(options: argparse.Namespace, log: Log) -> None:
    """Render the model card."""
    from srd_train import card

    card.run(options.out, log)


STEPS = {
    "write": step_write,
    "data": step_data,
    "linear": step_linear,
    "encoder": step_encoder,
    "average": step_average,
    "embedding": step_embedding,
    "export": step_export,
    "calibrate": step_calibrate,
    "guard": step_guard,
    "verdict": step_verdict,
    "card": step_card,
}

if __name__ == "__main__":
    main()
