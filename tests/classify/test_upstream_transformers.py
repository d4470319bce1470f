"""Small random-weight models of each architecture, exported here, against transformers' own output.

Needs torch and transformers, which are too heavy for the dev extra: skipped without them. To run
it: `pip install torch transformers`, then `pytest tests/classify/test_upstream_transformers.py`.
"""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from srd.classify.api import Ask
from srd.classify.factory import open_classifier
from srd.classify.upstream import UpstreamFolder

transformers = pytest.importorskip("transformers", reason="needs transformers and torch")
torch = pytest.importorskip("torch", reason="needs transformers and torch")

# Their deprecation warnings are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore")

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
ARCHITECTURES = {
    "modernbert": ("ModernBertConfig", "ModernBertFor", {"global_attn_every_n_layers": 2}),
    "bert": ("BertConfig", "BertFor", {}),
    "deberta-v2": (
        "DebertaV2Config",
        "DebertaV2For",
        {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16},
    ),
    "xlm-roberta": ("XLMRobertaConfig", "XLMRobertaFor", {"max_position_embeddings": 514}),
}
TEXTS = ("Ada met the law of the cell.", "律 and ça, 42!", "the " * 150)
LABELS = {
    "domain": [f"subject {number}" for number in range(5)],
    "jailbreak": ["benign", "jailbreak"],
    "pii": ["O", "B-PERSON", "I-PERSON", "B-GPE", "I-GPE"],
}
FILES = {
    "domain": ("category_mapping.json", "category_to_idx"),
    "jailbreak": ("jailbreak_type_mapping.json", "label_to_idx"),
    "pii": ("pii_type_mapping.json", "label_to_idx"),
}


def unigram() -> Tokenizer:
    """A SentencePiece-like tokenizer, as XLM-R and DeBERTa-v2 have: pieces carry their space."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁the", "▁law", "▁Ada", "▁met"]
    pieces += list("abcdefghijklmnopqrstuvwxyzA.,!42律ç")
    vocabulary = [(piece, -float(number) / 10) for number, piece in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


@pytest.fixture
def tokenizer_of(wordpiece, byte_level):
    def make(architecture: str) -> tuple[Tokenizer, int]:
        if architecture == "bert":
            return wordpiece, 0
        if architecture == "modernbert":
            tokenizer = byte_level()
            tokenizer.add_special_tokens(["[CLS]", "[SEP]", "[PAD]"])
            specials = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
            tokenizer.post_processor = processors.TemplateProcessing(
                single="[CLS] $A [SEP]", special_tokens=specials
            )
            return tokenizer, tokenizer.token_to_id("[PAD]")
        return unigram(), 1

    return make


class Exported:
    """A folder with a random model, and that model's own answers."""

    def __init__(self, path, architecture, head, tokenizer, pad):
        config_name, prefix, extra = ARCHITECTURES[architecture]
        self.tokenizer, self.head = tokenizer, head
        torch.manual_seed(3)
        labels = LABELS.get(head, ["unused"])
        config = getattr(transformers, config_name)(
            vocab_size=tokenizer.get_vocab_size(),
            pad_token_id=pad,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={label: number for number, label in enumerate(labels)},
            attn_implementation="eager",
            initializer_range=0.5,
            **SIZES,
            **extra,
        )
        kind = {"pii": "TokenClassification"}.get(head, "SequenceClassification")
        name = f"{prefix[:-3]}Model" if head == "embedding" else f"{prefix}{kind}"
        self.model = getattr(transformers, name)(config).eval()
        path.mkdir()
        config.save_pretrained(path)
        tokenizer.save(str(path / "tokenizer.json"))
        if head in FILES:
            file, key = FILES[head]
            mapping = {label: number for number, label in enumerate(labels)}
            (path / file).write_text(json.dumps({key: mapping}))
        self.export(path / "onnx" / "model.onnx")
        self.folder = UpstreamFolder(path=path)

    def export(self, path):
        path.parent.mkdir()
        output = "last_hidden_state" if self.head == "embedding" else "logits"

        class Graph(torch.nn.Module):
            def __init__(self, model):
                super().__init__()
                self.model = model

            def forward(self, input_ids, attention_mask):
                return self.model(input_ids=input_ids, attention_mask=attention_mask)[output]

        axes = {name: {0: "batch", 1: "tokens"} for name in ("input_ids", "attention_mask")}
        axes[output] = {0: "batch"} | (
            {} if self.head in ("domain", "jailbreak") else {1: "tokens"}
        )
        ids = torch.tensor([[1, 5, 6, 7, 8, 9, 4, 2]] * 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Graph(self.model).eval(),  # the exporter restores the mode it found
                (ids, torch.ones_like(ids)),
                str(path),
                input_names=["input_ids", "attention_mask"],
                output_names=[output],
                dynamic_axes=axes,
                opset_version=17,
                dynamo=False,
            )

    def states(self, text):
        ids = torch.tensor([self.tokenizer.encode(text).ids])
        with torch.no_grad():
            return self.model(input_ids=ids, attention_mask=torch.ones_like(ids))[0][0]


@pytest.fixture
def exported(tmp_path, tokenizer_of):
    return lambda architecture, head: Exported(
        tmp_path / head, architecture, head, *tokenizer_of(architecture)
    )


def scores(model, text):
    classifier = open_classifier(
        heads=frozenset({model.head}), upstream={model.head: model.folder}, threads=1
    )
    try:
        return classifier.submit(Ask(text=text, heads=classifier.heads)).result(30)
    finally:
        classifier.close()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("head", ["domain", "jailbreak"])
def test_sequence_probabilities_are_those_of_transformers(exported, architecture, head):
    model = exported(architecture, head)
    spread = 0.0
    for text in TEXTS:
        expected = torch.softmax(model.states(text), -1).numpy()
        result = scores(model, text)
        ours = (
            list(result.domain.values())
            if head == "domain"
            else [1 - result.jailbreak, result.jailbreak]
        )
        np.testing.assert_allclose(ours, expected, atol=1e-4)
        spread = max(spread, float(np.ptp(expected)))
    assert spread > 0.05, "the random weights must say something"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_token_entities_are_those_of_transformers_labels(exported, architecture):
    model = exported(architecture, "pii")
    entities = 0
    for text in TEXTS[:2]:
        probabilities = torch.softmax(model.states(text), -1).numpy()[1:-1]
        offsets = model.tokenizer.encode(text).offsets[1:-1]
        tops = [LABELS["pii"][column] for column in probabilities.argmax(-1)]
        covered = {
            (place, top[2:])
            for (start, end), top in zip(offsets, tops, strict=True)
            if top != "O"
            for place in range(start, end)
        }
        found = {
            (place, span.label)
            for span in scores(model, text).pii
            for place in range(span.start, span.end)
        }
        assert covered <= found
        between = {place for place, _ in found - covered}
        assert all(text[place].isspace() for place in between), "only gaps inside an entity"
        entities += len(covered)
    assert entities


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_embeddings_are_the_normalised_mean_of_transformers_states(exported, architecture):
    model = exported(architecture, "embedding")
    for text in TEXTS:
        mean = model.states(text).mean(0).numpy()
        ours = np.array(scores(model, text).embedding)
        np.testing.assert_allclose(ours, mean / np.linalg.norm(mean), atol=1e-4)
