"""Fine-tunes the encoder and its four heads together, within a bounded time.

Why this file exists: one forward must serve every head, so every head is trained on the same
encoder. Each update is one batch of one task; the mixture is fixed. The sentence embedding is
held near the frozen backbone's by distillation: of the vector itself and of the similarities
within a batch.
"""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from . import augment, net
from .common import DOMAINS, PII, SEED, Log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .data import Row

_PII_ID = {label: index for index, label in enumerate(PII)}
_IGNORED = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast to train."""

    epochs: int
    minutes: float
    max_tokens: int = 128
    batch_tokens: int = 2048
    lr: float = 1.5e-4
    head_lr: float = 1e-3
    smoothing: float = 0.06
    jailbreak_every: int = 3
    pii_every: int = 2
    embedding_every: int = 5
    threads: int = 2
    seed: int = SEED
    augment: bool = True
    ema: float = 0.99


@dataclass(slots=True)
class Sets:
    """The rows of each task."""

    domain: list[Row]
    jailbreak: list[Row]
    pii: list[Row]


def tokenizer(max_tokens: int) -> Tokenizer:
    """Return the backbone's tokenizer, truncating, without padding."""
    result = Tokenizer.from_file(str(net.backbone_folder() / "tokenizer.json"))
    result.no_padding()
    result.enable_truncation(max_tokens)
    return result


def pad(sequences: list[list[int]], value: int = 0) -> Tensor:
    """Stack sequences of different lengths."""
    result = torch.full((len(sequences), max(map(len, sequences))), value, dtype=torch.long)
    for index, sequence in enumerate(sequences):
        result[index, : len(sequence)] = torch.tensor(sequence)
    return result


def inputs(sequences: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Return ids and mask. The padding piece's id is 0 and no real piece has it."""
    ids = pad(sequences)
    return ids, (ids != 0).long()


def bio_labels(
    text: str, spans: tuple[tuple[int, int, str], ...], offsets: list[tuple[int, int]]
) -> list[int]:
    """Return one BIO label per token; tokens without characters are ignored by the loss."""
    labels = []
    for start, end in offsets:
        label = 0 if end > start else _IGNORED
        for left, right, kind in spans:
            if start < right and end > left and end > start:
                begins = not text[left:start].strip()
                label = _PII_ID[f"{'B' if begins else 'I'}-{kind}"]
                break
        labels.append(label)
    return labels


class Trainer:
    """Owns the network, its optimiser and the streams of batches."""

    def __init__(self, sets: Sets, plan: Plan, log: Log, *, start: Path | None = None) -> None:
        self.plan, self.sets, self.log = plan, sets, log
        torch.manual_seed(plan.seed)
        torch.set_num_threads(plan.threads)
        self.random = random.Random(plan.seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer = tokenizer(plan.max_tokens)
        self.fine = sorted({row.fine for row in sets.domain if row.fine})
        self.fine_id = {name: index for index, name in enumerate(self.fine)}
        self.net = net.Network(len(self.fine))
        if start is not None:
            self.net, self.fine = net.load(start)
            self.fine_id = {name: index for index, name in enumerate(self.fine)}
        self.net.to(self.device)
        self.frozen = net.Network(1).encoder.to(self.device).eval()
        self.net.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
        self.optimiser = self._optimiser()
        self.average = [p.detach().clone() for p in self.net.parameters()]
        self.steps = 0
        self.losses: dict[str, float] = {}

    def _optimiser(self) -> torch.optim.Optimizer:
        encoder = [p for p in self.net.encoder.parameters() if p.requires_grad]
        names = {id(p) for p in self.net.encoder.parameters()}
        heads = [p for p in self.net.parameters() if id(p) not in names]
        groups = [
            {
                "params": [p for p in encoder if p.ndim > 1],
                "peak": self.plan.lr,
                "weight_decay": 0.01,
            },
            {
                "params": [p for p in encoder if p.ndim < 2],
                "peak": self.plan.lr,
                "weight_decay": 0.0,
            },
            {"params": heads, "peak": self.plan.head_lr, "weight_decay": 0.01},
        ]
        return torch.optim.AdamW(groups, lr=self.plan.lr, betas=(0.9, 0.98))

    def run(self, checkpoint: Path) -> None:
        """Train for the planned epochs or minutes, whichever ends first; save to `checkpoint`."""
        began, step, epoch = time.monotonic(), 0, 0
        limit = self.plan.minutes * 60
        jailbreak = self._forever(self.sets.jailbreak, 16)
        pii = self._forever(self.sets.pii, 32)
        while epoch < self.plan.epochs and time.monotonic() - began < limit:
            batches = list(self._domain_epoch())
            for index, batch in enumerate(batches):
                elapsed = (time.monotonic() - began) / limit
                done = (epoch + index / len(batches)) / self.plan.epochs
                if elapsed >= 1:
                    break
                self._set_lr(max(done, elapsed), step)
                self._domain_step(batch, embed=step % self.plan.embedding_every == 0)
                if step % self.plan.jailbreak_every == 1:
                    self._jailbreak_step(next(jailbreak))
                if step % self.plan.pii_every == 0:
                    self._pii_step(next(pii))
                step += 1
                if step % 50 == 0:
                    shown = " ".join(f"{k}={v:.3f}" for k, v in sorted(self.losses.items()))
                    self.log(f"epoch {epoch} {index + 1}/{len(batches)} {shown}")
                if step % 100 == 0:
                    self._save(checkpoint)
            epoch += 1
            self._save(checkpoint)

    def _set_lr(self, progress: float, step: int) -> None:
        warm = min(1.0, (step + 1) / 60)
        decay = 0.5 * (1 + math.cos(math.pi * min(1.0, progress))) * 0.97 + 0.03
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * warm * decay

    def _domain_epoch(self) -> Iterator[list[tuple[Row, list[int]]]]:
        rows = []
        for row in self.sets.domain:
            copies = int(row.weight) + (self.random.random() < row.weight % 1)
            rows += [row] * copies
        texts = [
            augment.domain(row, rows, self.random) if self.plan.augment else row.text
            for row in rows
        ]
        pairs = list(zip(rows, (e.ids for e in self.tokenizer.encode_batch(texts)), strict=True))
        self.random.shuffle(pairs)
        batches = []
        for begin in range(0, len(pairs), 1024):
            pool = sorted(pairs[begin : begin + 1024], key=lambda pair: len(pair[1]))
            batch: list[tuple[Row, list[int]]] = []
            for pair in pool:
                if (batch and (len(batch) + 1) * len(pair[1]) > self.plan.batch_tokens) or len(
                    batch
                ) >= 48:
                    batches.append(batch)
                    batch = []
                batch.append(pair)
            if batch:
                batches.append(batch)
        self.random.shuffle(batches)
        yield from batches

    def _forever(self, rows: list[Row], size: int) -> Iterator[list[Row]]:
        while rows:
            weighted = self.random.choices(rows, [row.weight for row in rows], k=size * 8)
            weighted.sort(key=lambda row: len(row.text))
            batches = [weighted[i : i + size] for i in range(0, len(weighted), size)]
            self.random.shuffle(batches)
            yield from batches

    def _update(self, loss: Tensor) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.steps += 1
        decay = min(self.plan.ema, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(
                self.average, [p.detach() for p in self.net.parameters()], 1 - decay
            )

    def _save(self, checkpoint: Path) -> None:
        """Save the running average of the weights: it generalises better than the last step."""
        last = [p.detach().clone() for p in self.net.parameters()]
        with torch.no_grad():
            torch._foreach_copy_(list(self.net.parameters()), self.average)
            net.save(self.net, checkpoint, self.fine)
            torch._foreach_copy_(list(self.net.parameters()), last)

    def _note(self, name: str, loss: Tensor) -> None:
        value = float(loss.detach())
        self.losses[name] = 0.95 * self.losses.get(name, value) + 0.05 * value

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _domain_step(self, batch: list[tuple[Row, list[int]]], *, embed: bool) -> None:
        self.net.train()
        ids, mask = (t.to(self.device) for t in inputs([tokens for _, tokens in batch]))
        wanted = torch.tensor(
            [DOMAINS.index(row.domain or "") for row, _ in batch], device=self.device
        )
        fine = torch.tensor(
            [self.fine_id.get(row.fine or "", _IGNORED) for row, _ in batch], device=self.device
        )
        with self._autocast():
            layers = self.net.layers(ids, mask)
            hidden = layers[-1]
            features = self.net.domain.features(hidden, mask)
            logits = self.net.domain.out(self.net.domain.dropout(features)).float()
            loss = self._domain_loss(batch, logits, wanted)
            self._note("domain", loss)
            if bool((fine != _IGNORED).any()):
                extra = functional.cross_entropy(
                    self.net.fine(features).float(), fine, ignore_index=_IGNORED
                )
                self._note("fine", extra)
                loss = loss + 0.3 * extra
            if embed:
                loss = loss + self._embedding_loss(ids, mask, layers)
        self._update(loss)

    def _domain_loss(
        self, batch: list[tuple[Row, list[int]]], logits: Tensor, wanted: Tensor
    ) -> Tensor:
        # Exam questions often belong to two subjects; our own prompts were written for one. Without
        # this difference one temperature cannot serve both.
        doubt = torch.tensor(
            [0.0 if row.source.startswith("own") else self.plan.smoothing for row, _ in batch],
            device=self.device,
        )
        scores = functional.log_softmax(logits, -1)
        right = scores.gather(1, wanted[:, None])[:, 0]
        return -((1 - doubt) * right + doubt * scores.mean(-1)).mean()

    def _embedding_loss(self, ids: Tensor, mask: Tensor, layers: tuple[Tensor, ...]) -> Tensor:
        ours = self.net.embed(layers, mask).float()
        with torch.no_grad():
            theirs = self.frozen(input_ids=ids, attention_mask=mask).last_hidden_state
            theirs = functional.normalize(net.mean_pool(theirs, mask), dim=-1).float()
        loss = (1 - (ours * theirs).sum(-1)).mean()
        loss = loss + 5.0 * functional.mse_loss(ours @ ours.T, theirs @ theirs.T)
        self._note("embedding", loss)
        return 2.0 * loss

    def _jailbreak_step(self, rows: list[Row]) -> None:
        self.net.train()
        texts = [
            augment.jailbreak(row, self.sets.jailbreak, self.random)
            if self.plan.augment
            else row.text
            for row in rows
        ]
        ids, mask = (
            t.to(self.device) for t in inputs([e.ids for e in self.tokenizer.encode_batch(texts)])
        )
        wanted = torch.tensor([row.jailbreak for row in rows], device=self.device)
        with self._autocast():
            logits = self.net.jailbreak(self.net.hidden(ids, mask), mask).float()
            loss = functional.cross_entropy(logits, wanted, label_smoothing=0.02)
        self._note("jailbreak", loss)
        self._update(loss)

    def _pii_step(self, rows: list[Row]) -> None:
        self.net.train()
        rows = [
            augment.pii(row, self.sets.pii, self.random) if self.plan.augment else row
            for row in rows
        ]
        encoded = self.tokenizer.encode_batch([row.text for row in rows])
        ids, mask = (t.to(self.device) for t in inputs([e.ids for e in encoded]))
        labels = [
            bio_labels(row.text, row.spans or (), e.offsets)
            for row, e in zip(rows, encoded, strict=True)
        ]
        with self._autocast():
            logits = self.net.pii(self.net.layers(ids, mask)).float()
            loss = functional.cross_entropy(
                logits.flatten(0, 1),
                pad(labels, _IGNORED).flatten().to(self.device),
                ignore_index=_IGNORED,
            )
        self._note("pii", loss)
        self._update(loss)
