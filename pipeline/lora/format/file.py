"""The library's canonical LoRA file, the only form in which the engine takes one; `docs/lora-format.md` defines it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.models.safetensors_header import TensorHeader, WeightsFile

FORMAT: Final = "limner-lora"
VERSION: Final = "1"
WITH_WORDS: Final = "2"
"""The version of files that teach words, which a reader of version 1 must not pass over."""
WITH_VECTORS: Final = "3"
"""The version of files that change norms or biases, with or without words."""

VECTORS: Final = (".gain", ".bias")
"""How the names of tensors end that are added to norms and biases."""

MAX_RANK: Final = 256
QUERIES: Final = "encoder.layers.0.self_attn.q_proj"
"""A layer of every text encoder that is as wide as its words' vectors."""

NETWORKS: Final = ("unet", "text_encoder", "text_encoder_2")
_TENSOR: Final = re.compile(
    r"(?P<layer>(unet|text_encoder|text_encoder_2)\.[\w.]+)\.(?P<side>down|up|gain|bias)", re.ASCII
)
_WORD: Final = re.compile(r"(?P<network>text_encoder|text_encoder_2)\.word\.(?P<number>\d{1,4})", re.ASCII)
_DTYPES: Final = frozenset({"F32", "F16", "BF16"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraLayer:
    """A low-rank update of one layer's weight, `up @ down` (Hu et al., 2021, arXiv 2106.09685), by its shapes.

    `down` is (rank, in) for a Linear or (rank, in, kernel height, kernel width) for a Conv2d, `up` is (out, rank).
    """

    down: tuple[int, ...]
    up: tuple[int, int]

    @property
    def rank(self) -> int:
        """The rank of the update."""
        return self.down[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraFile:
    """A canonical LoRA: its layers by name (`unet.` or `text_encoder.`, then the module's path in diffusers).

    `words` are its textual inversions, `word_encoders` the text encoders for which each of them has vectors. `vectors`
    are the lengths of what it adds to norms (`<norm>.gain`, `<norm>.bias`) and to layers' biases (`<layer>.bias`), by
    name.
    """

    path: Path
    family: ModelFamily
    layers: dict[str, LoraLayer]
    words: tuple[str, ...]
    word_encoders: tuple[tuple[str, ...], ...]
    vectors: dict[str, int]

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
        if metadata.get("format") != FORMAT or metadata.get("version") not in {VERSION, WITH_WORDS, WITH_VECTORS}:
            raise UserError(f"{path.name} is not a LoRA in Limner's form; add it to the library again.")
        try:
            family = ModelFamily(metadata.get("family", ""))
            words = _words(metadata.get("words", "[]"), metadata["version"])
            word_encoders = _word_encoders(len(words), file.tensors, family)
            parts = _parts(file.tensors)
            vectors = _vectors(parts, metadata["version"])
            layers = {name: _layer(sides["down"], sides["up"]) for name, sides in parts.items() if sides}
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path.name} is damaged ({error}); add it to the library again.") from error
        if not layers and not words and not vectors:
            raise UserError(f"{path.name} is damaged (it changes nothing); add it to the library again.")
        return cls(path=path, family=family, layers=layers, words=words, word_encoders=word_encoders, vectors=vectors)

    @property
    def rank(self) -> int:
        """The largest rank of any layer."""
        return max((layer.rank for layer in self.layers.values()), default=0)

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


def _words(text: str, version: str) -> tuple[str, ...]:
    words = tuple(json.loads(text))
    if version != WITH_VECTORS and bool(words) is not (version == WITH_WORDS):
        raise ValueError("words in a file of another version")
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


def _parts(tensors: dict[str, TensorHeader]) -> dict[str, dict[str, tuple[int, ...]]]:
    """The shapes of each layer's tensors by their sides."""
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, tensor in tensors.items():
        if _WORD.fullmatch(name):
            continue
        match = _TENSOR.fullmatch(name)
        if match is None or tensor.dtype not in _DTYPES:
            raise ValueError("a tensor that has no place in it")
        shapes.setdefault(match["layer"], {})[match["side"]] = tensor.shape
    return shapes


def _vectors(parts: dict[str, dict[str, tuple[int, ...]]], version: str) -> dict[str, int]:
    """Take the vectors out of `parts`: their lengths by name."""
    vectors = {}
    for layer, sides in parts.items():
        for end in VECTORS:
            if (shape := sides.pop(end[1:], None)) is not None:
                (vectors[f"{layer}{end}"],) = shape
    if bool(vectors) is not (version == WITH_VECTORS):
        raise ValueError("changes of norms or biases in a file of another version")
    return vectors


def _layer(down: tuple[int, ...], up: tuple[int, ...]) -> LoraLayer:
    if len(down) not in {2, 4} or len(up) != 2 or down[0] != up[1] or not 1 <= down[0] <= MAX_RANK:
        raise ValueError("a layer whose two halves do not fit")
    return LoraLayer(down=down, up=(up[0], up[1]))
