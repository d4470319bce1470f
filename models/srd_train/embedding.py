"""Fits the map from the tuned encoder's layers to the frozen backbone's embedding.

Why this file exists: fine-tuning bends the last layer towards the labels, and a similarity must not
follow. Given the finished encoder, the best linear map back has a closed form (ridge regression on
training texts), better than what the distillation loss reaches on the way.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from . import net
from .common import SEED
from .encoder import inputs, tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from .common import Log
    from .data import Row

TEXTS = 4000
TOKENS = 64
RIDGES = (1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)


def refit(checkpoint: Path, rows: list[Row], log: Log) -> None:
    """Replace the embedding's weights in `checkpoint`."""
    network, fine = net.load(checkpoint)
    english = [row.text for row in rows if row.lang == "English"]
    texts = random.Random(SEED).sample(english, min(TEXTS, len(english)))
    ours, theirs = features(network, texts)
    kept = len(texts) * 9 // 10
    before = network.embedding.weight.detach(), network.embedding.bias.detach()
    log(f"  mean cosine before: {closeness(ours[kept:], theirs[kept:], *before):.4f}")
    scores = {}
    for strength in RIDGES:
        found = ridge(ours[:kept], theirs[:kept], strength)
        scores[strength] = closeness(ours[kept:], theirs[kept:], *found)
        log(f"  mean cosine on texts left out, ridge {strength}: {scores[strength]:.4f}")
    weight, bias = ridge(ours, theirs, max(scores, key=lambda key: scores[key]))
    with torch.no_grad():
        network.embedding.weight.copy_(weight)
        network.embedding.bias.copy_(bias)
    net.save(network, checkpoint, fine)


def closeness(ours: Tensor, theirs: Tensor, weight: Tensor, bias: Tensor) -> float:
    """Return the mean cosine between the mapped and the frozen embeddings."""
    mapped = functional.normalize(ours @ weight.T + bias, dim=-1)
    return float((mapped * theirs).sum(-1).mean())


@torch.no_grad()
def features(network: net.Network, texts: list[str]) -> tuple[Tensor, Tensor]:
    """Return our pooled layers and the frozen backbone's embedding of each text."""
    network.eval()
    frozen = net.Network(1).eval()
    encoded = [e.ids for e in tokenizer(TOKENS).encode_batch(texts)]
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
    ours = torch.zeros(len(texts), network.embedding.in_features)
    theirs = torch.zeros(len(texts), net.HIDDEN)
    for begin in range(0, len(order), 32):
        chosen = order[begin : begin + 32]
        ids, mask = inputs([encoded[i] for i in chosen])
        ours[chosen] = network.pools(network.layers(ids, mask), mask)
        theirs[chosen] = frozen.embed(frozen.layers(ids, mask), mask)
    return ours, theirs


def ridge(ours: Tensor, theirs: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the regularised least squares map."""
    x, y = ours.double(), theirs.double()
    mean_x, mean_y = x.mean(0), y.mean(0)
    centred = x - mean_x
    gram = centred.T @ centred
    gram.diagonal().add_(strength * float(gram.diagonal().mean()) + 1e-9)
    solution = torch.linalg.solve(gram, centred.T @ (y - mean_y)).T
    return solution.float(), (mean_y - solution @ mean_x).float()
