"""Exports the network to ONNX and quantizes it to int8.

Why this file exists: serving sees only the graph. The export is checked here against torch, so a
graph that computes something else never leaves this step.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from . import net
from .encoder import inputs, tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from .common import Log

OUTPUTS = ("domain_logits", "jailbreak_logits", "pii_logits", "embedding")
INPUTS = ("input_ids", "attention_mask")
_SAMPLES = (
    "What is the derivative of x squared?",
    "My name is Ada Berg and I live in Oslo.",
    "Explain how a heat exchanger works, and what limits its efficiency in practice.",
)


def run(checkpoint: Path, work: Path, out: Path, log: Log) -> None:
    """Write encoder.fp32.onnx to `work`, encoder.int8.onnx and tokenizer.json to `out`."""
    network, _ = net.load(checkpoint)
    plain, small = work / "encoder.fp32.onnx", out / "encoder.int8.onnx"
    to_onnx(network, plain)
    log(_describe(network, plain))
    quantize_dynamic(
        plain, small, per_channel=True, reduce_range=False, weight_type=QuantType.QInt8
    )
    log(_describe(network, small))
    write_tokenizer(out)


def _describe(network: net.Network, path: Path) -> str:
    size = path.stat().st_size / 1e6
    return f"{path.name} {size:.1f} MB, largest error {largest_error(network, path):.1e}"


def to_onnx(network: net.Network, path: Path) -> None:
    """Trace the exported module with free batch and length."""
    network.eval()
    network.encoder.config._attn_implementation = "eager"
    ids, mask = inputs([e.ids for e in tokenizer(64).encode_batch(list(_SAMPLES))])
    axes = {name: {0: "batch", 1: "tokens"} for name in (*INPUTS, "pii_logits")}
    axes |= {name: {0: "batch"} for name in OUTPUTS if name != "pii_logits"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.Exported(network).eval(),
            (ids, mask),
            str(path),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    onnx.checker.check_model(str(path))


def largest_error(network: net.Network, path: Path) -> float:
    """Return the largest difference of the domain logits between torch and the graph."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for text in _SAMPLES:
        ids, mask = inputs([tokenizer(512).encode(text).ids])
        (graph,) = session.run(
            [OUTPUTS[0]], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
        )
        with torch.no_grad():
            ours = network.domain(network.hidden(ids, mask), mask).numpy()
        worst = max(worst, float(np.abs(graph - ours).max()))
    return worst


def write_tokenizer(out: Path) -> None:
    """Copy the backbone's tokenizer without its truncation and padding."""
    source = tokenizer(512)
    source.no_truncation()
    source.no_padding()
    source.save(str(out / "tokenizer.json"), pretty=False)
