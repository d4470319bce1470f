from __future__ import annotations

import json

import numpy as np
import pytest

from srd.classify.api import Ask, ModelError
from srd.classify.factory import open_classifier
from srd.classify.heads import softmax
from srd.classify.upstream import UpstreamFolder, find_graph, open_encoder, read_labels

LABELS = {
    "domain": ("biology", "computer science", "law"),
    "jailbreak": ("benign", "jailbreak"),
    "pii": ("O", "B-PERSON", "I-PERSON", "B-GPE", "I-GPE"),
}
FILES = {
    "domain": ("category_mapping.json", "category_to_idx", "idx_to_category"),
    "jailbreak": ("jailbreak_type_mapping.json", "label_to_id", "id_to_label"),
    "pii": ("pii_type_mapping.json", "label_to_idx", "idx_to_label"),
}


class Folder:
    """An upstream folder for one head around the tiny graph."""

    def __init__(self, path, head, tokenizer, weights):
        self.path, self.head = path, head
        self.labels = LABELS.get(head, ())
        self.tokenizer = tokenizer
        self.weights = weights(
            tokenizer.get_vocab_size(), {head: len(self.labels)} if self.labels else {}
        )
        self.path.mkdir()
        self.config = {"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0}
        tokenizer.save(str(path / "tokenizer.json"))
        if self.labels:
            name, to_index, to_label = FILES[head]
            self.mapping = path / name
            self.write_mapping(
                {
                    to_index: {label: index for index, label in enumerate(self.labels)},
                    to_label: {str(index): label for index, label in enumerate(self.labels)},
                }
            )
        self.write()

    def write(self):
        (self.path / "config.json").write_text(json.dumps(self.config))

    def write_mapping(self, mapping):
        self.mapping.write_text(json.dumps(mapping))

    def graph(self, name="onnx/model.onnx", **options):
        self.weights.graph(self.path / name, logits_only=bool(self.labels), **options)
        return self

    def folder(self, **options):
        return UpstreamFolder(path=self.path, **options)

    def names(self):
        return read_labels(self.head, self.folder(), self.config)

    def ids(self, text):
        return list(self.tokenizer.encode(text).ids)


@pytest.fixture
def folder(tmp_path, wordpiece, weights):
    return lambda head: Folder(tmp_path / head, head, wordpiece, weights)


@pytest.fixture
def opened_upstream():
    made = []

    def open_upstream(*folders, **options):
        made.append(
            open_classifier(
                heads=frozenset(one.head for one in folders),
                upstream={one.head: one.folder(**options) for one in folders},
                threads=1,
            )
        )
        return made[-1]

    yield open_upstream
    for classifier in made:
        classifier.close()


def scores(classifier, text):
    return classifier.submit(Ask(text=text, heads=classifier.heads)).result(10)


def test_a_sequence_classifier_gives_all_probabilities_by_label(folder, opened_upstream):
    domain = folder("domain").graph(types=True)
    result = scores(opened_upstream(domain), "the law of the cell")
    expected = softmax(domain.weights.logits("domain", domain.ids("the law of the cell")))
    assert list(result.domain) == list(LABELS["domain"])
    np.testing.assert_allclose(list(result.domain.values()), expected, atol=1e-5)


def test_half_precision_is_read_in_single(folder, opened_upstream):
    domain = folder("domain").graph("onnx/model_sdpa_fp16.onnx", half=True)
    result = scores(opened_upstream(domain), "the law")
    expected = softmax(domain.weights.logits("domain", domain.ids("the law")))
    np.testing.assert_allclose(list(result.domain.values()), expected, atol=2e-2)
    assert sum(result.domain.values()) == pytest.approx(1.0, abs=1e-6)


def test_the_risk_sums_the_positive_labels_over_the_worst_piece(folder, opened_upstream):
    jailbreak = folder("jailbreak").graph()
    text = "a " * 380 + "law " * 380
    ids = jailbreak.ids(text)[1:-1]
    risks = [
        softmax(jailbreak.weights.logits("jailbreak", [2, *ids[start:end], 3]))[1]
        for start, end in ((0, 384), (368, 752), (376, 760))
    ]
    assert scores(opened_upstream(jailbreak), text).jailbreak == pytest.approx(max(risks), abs=1e-5)


def test_a_positive_label_that_the_folder_does_not_name_is_refused(folder, opened_upstream):
    with pytest.raises(ModelError, match=r"attack.*benign, jailbreak"):
        opened_upstream(folder("jailbreak").graph(), positive=("attack",))


def test_pii_is_merged_token_by_token(folder, opened_upstream):
    pii = folder("pii").graph()
    text = "ada the cell law of x y z"
    probabilities = softmax(pii.weights.logits("pii", pii.ids(text))[1:-1])
    offsets = pii.tokenizer.encode(text).offsets[1:-1]
    tops = [LABELS["pii"][column] for column in probabilities.argmax(-1)]
    expected: list[list] = []
    previous = ""
    for top, place, row in zip(tops, offsets, probabilities, strict=True):
        kind = top[2:]
        if kind and (top.startswith("B") or kind != previous):
            expected.append([place[0], place[1], kind, [row.max()]])
        elif kind:
            expected[-1][1] = place[1]
            expected[-1][3].append(row.max())
        previous = kind
    found = scores(opened_upstream(pii), text).pii
    assert [(span.start, span.end, span.label) for span in found] == [
        (start, end, kind) for start, end, kind, _ in expected
    ]
    assert [span.confidence for span in found] == pytest.approx(
        [np.mean(values) for *_, values in expected], abs=1e-5
    )
    assert found, "the case is worth nothing when the random weights see no entity"


def test_an_embedding_is_the_normalised_mean_cut_to_the_asked_dimensions(folder, opened_upstream):
    embedding = folder("embedding").graph("model.onnx")
    result = scores(opened_upstream(embedding, dimensions=4), "ada met the law")
    mean = embedding.weights.states(embedding.ids("ada met the law")).mean(axis=0)[:4]
    np.testing.assert_allclose(list(result.embedding), mean / np.linalg.norm(mean), atol=1e-5)


def test_several_folders_and_our_own_model_answer_together(folder, tiny):
    domain, pii = folder("domain").graph(), folder("pii").graph()
    classifier = open_classifier(
        tiny.folder, upstream={"domain": domain.folder(), "pii": pii.folder()}, threads=1
    )
    try:
        result = scores(classifier, "ada met the law")
        assert classifier.labels == LABELS["domain"]
        assert result.jailbreak is not None
        assert result.embedding is not None
        assert classifier.quick(Ask(text="court", heads=frozenset({"domain"}))) is None, (
            "our first stage does not speak for another model"
        )
    finally:
        classifier.close()


def test_the_graph_is_looked_for_in_upstreams_order_root_first(folder):
    domain = folder("domain")
    with pytest.raises(ModelError, match=r"no ONNX graph; looked for model_sdpa_fp16\.onnx"):
        find_graph(domain.folder())
    (domain.path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"model\.safetensors; srd reads ONNX only"):
        find_graph(domain.folder())
    for name in ("onnx/model_quantized.onnx", "onnx/model.onnx", "onnx/model_sdpa_fp16.onnx",
                 "classifier.onnx", "model.onnx"):  # fmt: skip
        domain.graph(name)
        assert find_graph(domain.folder()) == domain.path / name
    domain.graph("onnx/layer-6/model.onnx")
    assert find_graph(domain.folder(layer=6)) == domain.path / "onnx/layer-6/model.onnx"


def test_labels_follow_the_mapping_file_not_its_order(folder):
    domain = folder("domain")
    domain.write_mapping({"category_to_idx": {"law": 2, "biology": 0, "computer science": 1}})
    assert domain.names() == LABELS["domain"]
    domain.write_mapping({"idx_to_category": {"1": "computer science", "2": "law", "0": "biology"}})
    assert domain.names() == LABELS["domain"]


def test_a_mapping_file_that_contradicts_itself_is_refused_with_both_lists(folder):
    domain = folder("domain")
    domain.write_mapping(
        {"category_to_idx": {"a": 0, "b": 1}, "idx_to_category": {"0": "b", "1": "a"}}
    )
    with pytest.raises(ModelError, match="contradicts itself: a, b against b, a"):
        domain.names()


def test_a_mapping_that_contradicts_the_config_is_refused_with_both_lists(folder):
    domain = folder("domain")
    domain.config["id2label"] = {"0": "law", "1": "computer science", "2": "biology"}
    with pytest.raises(
        ModelError, match="biology, computer science, law against law, computer science, biology"
    ):
        domain.names()


def test_another_spelling_and_placeholders_in_the_config_are_no_contradiction(folder):
    domain = folder("domain")
    domain.config["id2label"] = {"0": "Biology", "1": "computer_science", "2": "law"}
    assert domain.names() == LABELS["domain"]
    domain.config["id2label"] = {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    assert domain.names() == LABELS["domain"]


def test_without_a_mapping_file_the_config_names_the_labels(folder):
    domain = folder("domain")
    domain.mapping.unlink()
    with pytest.raises(ModelError, match=r"neither category_mapping\.json nor id2label"):
        domain.names()
    domain.config["id2label"] = {"0": "x", "1": "y"}
    assert domain.names() == ("x", "y")


@pytest.mark.parametrize("indices", [(0, 2), (1, 2), (0, 0)])
def test_indices_with_a_gap_are_refused(folder, indices):
    domain = folder("domain")
    domain.write_mapping({"category_to_idx": dict(zip("ab", indices, strict=True))})
    with pytest.raises(ModelError, match="without a gap"):
        domain.names()


def test_a_mapping_named_in_the_document_must_exist_and_wins(folder, tmp_path):
    domain = folder("domain")
    other = tmp_path / "other.json"
    with pytest.raises(ModelError, match=r"other\.json: no such mapping file"):
        read_labels("domain", domain.folder(mapping=other), domain.config)
    other.write_text(json.dumps({"category_to_idx": {"x": 0, "y": 1, "z": 2}}))
    assert read_labels("domain", domain.folder(mapping=other), domain.config) == ("x", "y", "z")


def test_more_labels_than_columns_are_refused_with_the_labels(folder):
    domain = folder("domain").graph()
    domain.write_mapping({"category_to_idx": {"a": 0, "b": 1}})
    with pytest.raises(ModelError, match="3 columns, but domain has 2 labels: a, b"):
        open_encoder("domain", domain.folder(), device="cpu")


def test_a_sequence_classifier_named_as_token_classifier_is_refused(folder):
    pii, domain = folder("pii"), folder("domain").graph()
    (pii.path / "model.onnx").write_bytes((domain.path / "onnx/model.onnx").read_bytes())
    pii.write_mapping({"label_to_idx": {"O": 0, "B-X": 1, "I-X": 2}})
    with pytest.raises(ModelError, match="is not that of a token classifier"):
        open_encoder("pii", pii.folder(), device="cpu")


def test_positions_that_roberta_reserves_are_not_used(folder):
    domain = folder("domain").graph()
    domain.config |= {
        "model_type": "xlm-roberta",
        "max_position_embeddings": 130,
        "pad_token_id": 1,
    }
    domain.write()
    encoder = open_encoder("domain", domain.folder(), device="cpu")
    assert encoder.max_tokens == 128
    assert encoder.tokenizer.pad == 1


def test_a_folder_without_config_or_tokenizer_is_refused_by_name(folder):
    domain = folder("domain").graph()
    (domain.path / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        open_encoder("domain", domain.folder(), device="cpu")
    (domain.path / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json"):
        open_encoder("domain", domain.folder(), device="cpu")
