"""The library's canonical LoRA file, the only form in which the engine takes one; `docs/lora-format.md` defines it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.lora.format.part_header import MAX_PARTS, SIDES, PartHeader
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.models.safetensors_header import TensorHeader, WeightsFile

FORMAT: Final = "limner-lora"
VERSION: Final = "1"

VECTORS: Final = (".gain", ".bias")
"""How the names of tensors end that are added to norms and biases."""

QUERIES: Final = "encoder.layers.0.self_attn.q_proj"
"""A layer of every text encoder that is as wide as its words' vectors."""

NETWORKS: Final = ("unet", "text_encoder", "text_encoder_2")
MAX_TENSORS: Final = 100_000
_LAYER: Final = r"(?P<layer>(unet|text_encoder|text_encoder_2)\.[\w.]+)"
_PART: Final = re.compile(rf"{_LAYER}\.(?P<number>0|[1-9]\d{{0,2}})\.(?P<side>{'|'.join(sorted(SIDES))})", re.ASCII)
_VECTOR: Final = re.compile(rf"{_LAYER}\.(?P<side>gain|bias)", re.ASCII)
_WORD: Final = re.compile(r"(?P<network>text_encoder|text_encoder_2)\.word\.(?P<number>\d{1,4})", re.ASCII)
_DTYPES: Final = frozenset({"F32", "F16", "BF16"})

Parts = tuple[PartHeader, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraFile:
    """A canonical LoRA: its layers by name (`unet.` or `text_encoder.`, then the module's path in diffusers), each with
    its parts by their shapes.

    `scale_rule` says what parts that are not linear do at scales other than 1. `words` are its textual inversions,
    `word_encoders` the text encoders for which each of them has vectors. `vectors` are the lengths of what it adds to
    norms (`<norm>.gain`, `<norm>.bias`) and to layers' biases (`<layer>.bias`), by name.
    """

    path: Path
    family: ModelFamily
    scale_rule: ScaleRule
    layers: Mapping[str, Parts]
    words: tuple[str, ...]
    word_encoders: tuple[tuple[str, ...], ...]
    vectors: Mapping[str, int]

    @classmethod
    def open(cls, path: Path) -> "LoraFile":
        """Read and check a file's header; its tensors stay on disk.

        Args:
            path: of the file.

        Returns:
            What it holds.

        Raises:
            UserError: it is not a whole canonical LoRA.
        """
        file = WeightsFile.open(path)
        metadata = file.metadata
        if metadata.get("format") != FORMAT or metadata.get("version") != VERSION:
            raise UserError(f"{path.name} is not a LoRA in Limner's form; add it to the library again.")
        try:
            family = ModelFamily(metadata.get("family", ""))
            scale_rule = ScaleRule(metadata.get("scale_rule", ""))
            words = _words(metadata.get("words", "[]"))
            word_encoders = _word_encoders(len(words), file.tensors, family)
            layers, vectors = _sorted(file.tensors)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path.name} is damaged ({error}); add it to the library again.") from error
        if not layers and not words and not vectors:
            raise UserError(f"{path.name} is damaged (it changes nothing); add it to the library again.")
        return cls(
            path=path,
            family=family,
            scale_rule=scale_rule,
            layers=layers,
            words=words,
            word_encoders=word_encoders,
            vectors=vectors,
        )

    @property
    def rank(self) -> int:
        """The largest rank of any low-rank part."""
        return max((part.rank for parts in self.layers.values() for part in parts), default=0)

    def word_tensors(self, place: int) -> dict[str, str]:
        """The names of the tensors of one textual inversion.

        Args:
            place: its place in `words`.

        Returns:
            A tensor (vectors, width) for each text encoder that has one.
        """
        return {network: word_name(network, place) for network in self.word_encoders[place]}


def encoders_of(family: ModelFamily) -> tuple[str, ...]:
    """The text encoders of a family's models; a textual inversion has vectors for some or all of them.

    Args:
        family: of the models.

    Returns:
        Their names, in the order in which the conditioning joins them.
    """
    return tuple(FAMILIES[family].text_encoders)


def word_name(network: str, place: int) -> str:
    """The name of a textual inversion's tensor.

    Args:
        network: the text encoder.
        place: the word's place in the file's `words`.

    Returns:
        As the canonical file has it.
    """
    return f"{network}.word.{place}"


def _words(text: str) -> tuple[str, ...]:
    words = tuple(json.loads(text))
    if not all(isinstance(word, str) and word for word in words):
        raise ValueError("words that are none")
    return words


def _word_encoders(words: int, tensors: dict[str, TensorHeader], family: ModelFamily) -> tuple[tuple[str, ...], ...]:
    """The text encoders for which each of so many words has vectors."""
    word_encoders = tuple(
        tuple(n for n in encoders_of(family) if word_name(n, place) in tensors) for place in range(words)
    )
    names = {word_name(network, place) for place, networks in enumerate(word_encoders) for network in networks}
    if not all(word_encoders) or names != {name for name in tensors if _WORD.fullmatch(name)}:
        raise ValueError("words without vectors")
    if any(len(tensors[name].shape) != 2 or tensors[name].dtype not in _DTYPES for name in names):
        raise ValueError("vectors that are none")
    return word_encoders


def _sorted(tensors: Mapping[str, TensorHeader]) -> tuple[dict[str, Parts], dict[str, int]]:
    """The parts of each layer, and the lengths of vectors by name."""
    if len(tensors) > MAX_TENSORS:
        raise ValueError("too many tensors")
    shapes: dict[str, dict[int, dict[str, tuple[int, ...]]]] = {}
    vectors = {}
    for name, tensor in tensors.items():
        if _WORD.fullmatch(name):
            continue
        if (match := _PART.fullmatch(name)) is not None:
            _check_dtype(tensor, match["side"])
            shapes.setdefault(match["layer"], {}).setdefault(int(match["number"]), {})[match["side"]] = tensor.shape
        elif (match := _VECTOR.fullmatch(name)) is not None:
            _check_dtype(tensor, match["side"])
            (vectors[name],) = tensor.shape
        else:
            raise ValueError("a tensor that has no place in it")
    return {layer: _parts(own) for layer, own in shapes.items()}, vectors


def _check_dtype(tensor: TensorHeader, side: str) -> None:
    if tensor.dtype not in ({"F64"} if side == "scale" else _DTYPES):
        raise ValueError("a tensor of a type that has no place in it")


def _parts(shapes: Mapping[int, Mapping[str, tuple[int, ...]]]) -> Parts:
    if len(shapes) > MAX_PARTS or shapes.keys() != set(range(len(shapes))):
        raise ValueError("parts that are not counted")
    return tuple(PartHeader.of(shapes[number]) for number in range(len(shapes)))
