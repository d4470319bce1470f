import pytest

from srd.config.base import Fraction, Name, Opaque, Part, TokenCount, Word
from srd.config.document import Document
from srd.config.rules import RuleNode
from srd.config.shape import (
    Anything,
    Choice,
    ListOf,
    MapOf,
    Number,
    RuleTree,
    Shape,
    StructOf,
    Text,
    fields_of,
    shape_of,
)
from srd.signals.metadata import MetadataPredicate


@pytest.mark.parametrize(
    ("annotation", "shape"),
    [
        (str, Text()),
        (Name, Text(min_length=1)),
        (Word, Text(word=True)),
        (Fraction, Number(False, 0, 1)),
        (TokenCount, Number(True, 0, tokens=True)),
        (TokenCount | None, Number(True, 0, tokens=True)),
        (tuple[Word, ...], ListOf(Text(word=True))),
        (Opaque, MapOf(Anything())),
        (RuleNode, RuleTree()),
        (RuleNode | None, RuleTree()),
        (Document, StructOf(Document)),
    ],
)
def test_an_annotation_has_a_shape(annotation: object, shape: Shape) -> None:
    assert shape_of(annotation) == shape


def test_an_annotation_that_no_document_can_hold_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="no shape"):
        shape_of(bytes)


def test_fields_go_by_their_names_in_the_document() -> None:
    assert fields_of(Document)["global"].attribute == "global_"
    assert fields_of(MetadataPredicate)["in"].attribute == "in_"


def test_every_part_of_the_document_has_a_shape() -> None:
    seen: set[type[Part]] = set()
    shapes: list[Shape] = [StructOf(Document)]
    while shapes:
        match shapes.pop():
            case StructOf(cls) if cls not in seen:
                seen.add(cls)
                shapes += [field.shape for field in fields_of(cls).values()]
            case ListOf(inner) | MapOf(inner):
                shapes.append(inner)
            case Choice(options):
                assert all(isinstance(option, str) for option in options)
    assert len(seen) > 60
