"""Tiny models with random weights, built here, and the arithmetic that they should compute."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from srd.classify.guard import Guard, GuardHashing, features
from srd.classify.linear import Hashing, LinearStage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WIDTH = 8
DOMAINS = ("biology", "law", "math")
PII = ("O", "B-PERSON", "I-PERSON", "B-GPE", "I-GPE")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,:;!?'@-_()+"


def _vocabulary() -> dict[str, int]:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "law", "cell", "ada", "##ing"]
    pieces += list(LETTERS) + [f"##{letter}" for letter in LETTERS]
    return {piece: number for number, piece in enumerate(pieces)}


def wordpiece() -> Tokenizer:
    vocabulary = _vocabulary()
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return tokenizer


def byte_level(*, prefix_space: bool = False) -> Tokenizer:
    """A byte-level BPE with merges across the space, as GPT-2's family has them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(alphabet)}
    merges = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("i", "n"), ("Ċ", "Ċ"), ("Ġ", "Ġ")]
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


class Weights:
    """Random weights of the tiny graph, and what it computes, in plain numpy.

    state = table[id] + mean of the row's states under the mask, so that every token depends on its
    row, as in a real encoder; sequence logits come from the mean, token logits from each state.
    """

    def __init__(self, vocabulary: int, sizes: dict[str, int], seed: int = 7) -> None:
        random = np.random.default_rng(seed)
        self.table = random.normal(size=(vocabulary, WIDTH)).astype(np.float32)
        self.heads = {
            name: random.normal(size=(WIDTH, size)).astype(np.float32)
            for name, size in sizes.items()
        }

    def states(self, ids: list[int]) -> np.ndarray[Any, Any]:
        rows = self.table[ids]
        return rows + rows.mean(axis=0)

    def logits(self, head: str, ids: list[int]) -> np.ndarray[Any, Any]:
        states = self.states(ids)
        return (states if head == "pii" else states.mean(axis=0)) @ self.heads[head]

    def graph(
        self, path: Path, *, types: bool = False, half: bool = False, logits_only: bool = False
    ) -> None:
        """Write the graph: one output `<head>_logits` per head, and `last_hidden_state`; or, as
        the common exporters do for a classifier, the output `logits` alone."""
        kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        store = np.float16 if half else np.float32
        constants = {"table": self.table.astype(store), "one": np.array([2], dtype=np.int64)}
        constants |= {f"w_{name}": value.astype(store) for name, value in self.heads.items()}
        constants["axis"] = np.array([1], dtype=np.int64)
        nodes = [
            helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=kind),
            helper.make_node("Unsqueeze", ["mask", "one"], ["mask3"]),
            helper.make_node("Mul", ["rows", "mask3"], ["masked"]),
            helper.make_node("ReduceSum", ["masked", "axis"], ["sum"], keepdims=1),
            helper.make_node("ReduceSum", ["mask3", "axis"], ["count"], keepdims=1),
            helper.make_node("Div", ["sum", "count"], ["mean"]),
            helper.make_node("Add", ["rows", "mean"], ["last_hidden_state"]),
            helper.make_node("Add", ["mean", "mean"], ["double"]),
            helper.make_node("Squeeze", ["double", "axis"], ["pooled"]),
        ]
        outputs = []
        if not logits_only:
            info = helper.make_tensor_value_info("last_hidden_state", kind, ["b", "t", WIDTH])
            outputs.append(info)
        for name, value in self.heads.items():
            source = "last_hidden_state" if name == "pii" else "pooled"
            output = "logits" if logits_only else f"{name}_logits"
            nodes.append(helper.make_node("MatMul", [source, f"w_{name}"], [output]))
            shape = ["b", "t", value.shape[1]] if name == "pii" else ["b", value.shape[1]]
            outputs.append(helper.make_tensor_value_info(output, kind, shape))
        names = ["input_ids", "attention_mask"] + (["token_type_ids"] if types else [])
        inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "t"]) for n in names]
        graph = helper.make_graph(
            nodes,
            "tiny",
            inputs,
            outputs,
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)


def _linear(path: Path, labels: tuple[str, ...], words: dict[str, str]) -> None:
    """A first stage that knows one word per label and is unsure of everything else."""
    from srd.classify.linear import Hasher

    hashing = Hashing(bits=12, char_ngrams=(), max_chars=3072, max_char_bytes=1024)
    table = np.zeros((1 << 12, len(labels) + 1), dtype=np.int8)
    table[:, -1] = 1
    hasher = Hasher(hashing)
    for word, label in words.items():
        for bucket in hasher.buckets(word):
            table[bucket, labels.index(label)] = 100
    scale = np.full(len(labels) + 1, 1.0, dtype=np.float32)
    bias = np.zeros(len(labels), dtype=np.float32)
    stage = LinearStage(hashing=hashing, labels=labels, table=table, scale=scale, bias=bias)
    stage.save(path)


def guard(*words: str, weight: int = 100, bias: float = -3.0) -> Guard:
    """A guard that suspects the given words, and nothing else: log-odds of 7 for one of them."""
    hashing = GuardHashing(bits=16, char_ngrams=())
    table = np.zeros(1 << 16, dtype=np.int8)
    for word in words:
        for bucket in features(word, hashing)[0]:
            table[bucket] = weight
    return Guard(hashing=hashing, table=table, scale=0.1, bias=bias)


class Tiny:
    """A model folder of ours in a temporary place, and the weights behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokenizer = wordpiece()
        self.weights = Weights(
            self.tokenizer.get_vocab_size(), {"domain": 3, "jailbreak": 2, "pii": len(PII)}
        )
        self.manifest: dict[str, Any] = {
            "version": "tiny",
            "labels": {
                "domain": list(DOMAINS),
                "jailbreak": ["benign", "jailbreak"],
                "pii": list(PII),
            },
            "encoder": {
                "file": "encoder.onnx",
                "inputs": ["input_ids", "attention_mask"],
                "outputs": {
                    "domain": "domain_logits",
                    "jailbreak": "jailbreak_logits",
                    "pii": "pii_logits",
                    "embedding": "last_hidden_state",
                },
                "max_tokens": 512,
            },
            "first_stage": {"file": "linear.npz", "confidence": 0.9},
            "thresholds": {"jailbreak": 0.7, "pii": 0.5},
        }
        self.weights.graph(folder / "encoder.onnx")
        self.tokenizer.save(str(folder / "tokenizer.json"))
        _linear(folder / "linear.npz", ("law", "math", "biology"), {"court": "law"})
        self.write()

    def write(self) -> None:
        (self.folder / "manifest.json").write_text(json.dumps(self.manifest))

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text).ids)


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return Tiny(tmp_path)


@pytest.fixture
def opened(tiny: Tiny) -> Iterator[Callable[..., Any]]:
    """open_classifier on the tiny folder; closed at the test's end."""
    from srd.classify.factory import open_classifier

    classifiers: list[Any] = []

    def open_tiny(**options: Any) -> Any:
        tiny.write()
        classifiers.append(open_classifier(tiny.folder, **({"threads": 1} | options)))
        return classifiers[-1]

    yield open_tiny
    for classifier in classifiers:
        classifier.close()


@pytest.fixture(name="guard")
def _guard() -> Callable[..., Guard]:
    return guard


@pytest.fixture
def forwards(monkeypatch) -> Callable[[Any], list[Any]]:
    """The rows that a classifier's encoders run from now on, in one list."""

    def watch(classifier: Any) -> list[Any]:
        rows: list[Any] = []
        for encoder in classifier._scorer.encoders:
            original = encoder.forward

            def forward(batch: Any, original: Any = original) -> Any:
                rows.extend(batch)
                return original(batch)

            monkeypatch.setattr(encoder, "forward", forward)
        return rows

    return watch


@pytest.fixture(name="wordpiece")
def _wordpiece() -> Tokenizer:
    return wordpiece()


@pytest.fixture(name="byte_level")
def _byte_level() -> Callable[..., Tokenizer]:
    return byte_level


@pytest.fixture
def weights() -> type[Weights]:
    return Weights
