"""A LoRA of low rank cut into pages of sixteen ranks: one tensor for each shape of layer instead of two for each layer.

What has a larger rank, or none, stays as its file has it, in one arena.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora.format.file import QUERIES, LoraFile, Parts
from pipeline.lora.format.part_header import PartKind, part_name
from pipeline.lora.format.parts import LowRank, Part, read_part
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import bias_change
from pipeline.lora.serving.base_tensors import base_tensor
from pipeline.lora.serving.layers import AdaptedNetwork, Bank
from pipeline.lora.serving.lora_parts import LoraParts
from pipeline.lora.serving.own_weight import LayerPart, measured
from pipeline.lora.serving.vectors import Vectors
from pipeline.memory import memory_in_words
from pipeline.models.textual_inversion import TextualInversion

PAGE_RANK: Final = 16
MOST_PAGES: Final = 4
"""Of a row: with more, an own weight costs less, and all rows of a batch have room for as many as any of them."""

Networks = Mapping[str, AdaptedNetwork]
_Known = Mapping[str, tuple[tuple[str, int], int, Bank]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BankPages:
    """One LoRA's part in one bank, on the host.

    `down` is (pages, layers, width, 16) and `up` is (pages, layers, 16, outputs), with zeros past a layer's own rank;
    `used` are the places of the layers that the LoRA changes.
    """

    down: Tensor
    up: Tensor
    used: frozenset[int]

    @property
    def count(self) -> int:
        """The number of pages."""
        return int(self.down.shape[0])

    @property
    def size(self) -> int:
        """Bytes of both halves."""
        return self.down.nbytes + self.up.nbytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraPages:
    """One LoRA on the host: in pages by network and number of the bank, where a network's parts are all of low rank.

    Banks that it leaves alone are not there. `parts` are those of the other networks, and `rule` is what they do at
    other scales than 1; `vectors` is what it adds to norms and biases, by network; `words` are its textual inversions.
    """

    banks: Mapping[tuple[str, int], BankPages]
    parts: LoraParts | None = None
    rule: ScaleRule = ScaleRule.LINEAR
    vectors: Mapping[str, Vectors] = field(default_factory=dict)
    words: tuple[TextualInversion, ...] = ()

    @property
    def size(self) -> int:
        """Bytes on the host."""
        pages = sum(pages.size for pages in self.banks.values())
        vectors = sum(vectors.values.nbytes for vectors in self.vectors.values())
        parts = 0 if self.parts is None else self.parts.size
        return pages + parts + vectors + sum(word.size for word in self.words)


def load_pages(path: Path, networks: Networks, dtype: torch.dtype, *, pin: bool) -> LoraPages:
    """Read a canonical LoRA for a model.

    Args:
        path: of the file.
        networks: the model's adapted networks, by name.
        dtype: of the numbers on the device.
        pin: put the pages into pinned memory, from which a GPU copies by itself.

    Returns:
        The LoRA on the host.

    Raises:
        UserError: the file is damaged, or was made for another model.
    """
    file = LoraFile.open(path)
    known = _known(networks)
    places = _places(file, known, networks)
    names = _vector_names(file, networks)
    try:
        # Not `safe_open`, which leaves some bytes of every tensor behind for good (safetensors 0.8.0).
        with memory_in_words(path.name):
            tensors = load(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path.name} is damaged ({error}); add it to the library again.") from error
    thick = {where[0] for where, layers in places.items() if not all(_paged(file.layers[n]) for n in layers.values())}
    thick |= {where[0] for where in places if networks[where[0]].banks[where[1]].shape.groups > 1}
    banks = {
        where: _bank_pages(networks[where[0]].banks[where[1]], layers, file, tensors, dtype=dtype, pin=pin)
        for where, layers in places.items()
        if where[0] not in thick
    }
    own = {network: _layer_parts(networks, network, places, file, tensors) for network in thick}
    vectors = {network: _vectors(networks[network], names.get(network, {}), tensors, dtype, pin) for network in names}
    for network, layers in own.items():
        if (changed := _with_biases(networks[network], layers, vectors.get(network), dtype, pin)) is not None:
            vectors[network] = changed
    return LoraPages(
        banks=banks,
        parts=LoraParts.of(own, pin=pin) if own else None,
        rule=file.scale_rule,
        vectors=vectors,
        words=_textual_inversions(file, tensors, known, dtype),
    )


def _paged(parts: Parts) -> bool:
    plain = all(part.kind is PartKind.LOW_RANK and not part.normed for part in parts)
    return plain and sum(part.rank for part in parts) <= MOST_PAGES * PAGE_RANK


def _bank_pages(
    bank: Bank,
    names: Mapping[int, str],
    file: LoraFile,
    tensors: Mapping[str, Tensor],
    *,
    dtype: torch.dtype,
    pin: bool,
) -> BankPages:
    ranks = {place: file.layers[name] for place, name in names.items()}
    pages = _empty(bank, ceil(max(map(_rank, ranks.values())) / PAGE_RANK), dtype, ranks, pin)
    for place, name in names.items():
        _write(pages, place, *_halves(file.layers[name], name, tensors))
    return pages


@torch.inference_mode()
def _layer_parts(
    networks: Networks,
    network: str,
    places: Mapping[tuple[str, int], Mapping[int, str]],
    file: LoraFile,
    tensors: Mapping[str, Tensor],
) -> dict[str, list[LayerPart]]:
    """The parts of one network's layers, measured against its base."""
    adapted = networks[network]
    parts = {}
    for (of, number), names in places.items():
        for place, name in names.items() if of == network else ():
            own = adapted.banks[number].names[place]
            weight = base_tensor(adapted.layers[own], "weight")
            assert weight is not None, "every layer has a weight"
            parts[own] = [measured(part, weight) for part in _read(file.layers[name], name, tensors)]
    return parts


def _read(headers: Parts, name: str, tensors: Mapping[str, Tensor]) -> list[Part]:
    return [read_part(header, part_name(name, number), tensors) for number, header in enumerate(headers)]


def _with_biases(
    network: AdaptedNetwork,
    layers: Mapping[str, Sequence[LayerPart]],
    vectors: Vectors | None,
    dtype: torch.dtype,
    pin: bool,
) -> Vectors | None:
    """`vectors` with what parts change of biases that are the base's."""
    for own, parts in layers.items():
        bias = base_tensor(network.layers[own], "bias")
        if bias is None or not (change := bias_change([each.part for each in parts], bias.float().cpu(), 1.0)).any():
            continue
        vectors = vectors or Vectors(
            values=torch.zeros(network.vectors.width, dtype=dtype, pin_memory=pin), used=frozenset()
        )
        vectors.values[network.vectors.places[f"{own}.bias"]] += change.to(dtype)
        vectors = replace(vectors, used=vectors.used | {f"{own}.bias"})
    return vectors


def _vectors(
    network: AdaptedNetwork, names: Mapping[str, str], tensors: Mapping[str, Tensor], dtype: torch.dtype, pin: bool
) -> Vectors:
    """All vectors of one network in a row; `names` are those in the file by those in the network."""
    values = torch.zeros(network.vectors.width, dtype=dtype, pin_memory=pin)
    for own, name in names.items():
        values[network.vectors.places[own]] = tensors[name]
    return Vectors(values=values, used=frozenset(names))


def _textual_inversions(
    file: LoraFile, tensors: Mapping[str, Tensor], known: _Known, dtype: torch.dtype
) -> tuple[TextualInversion, ...]:
    words = []
    for place, text in enumerate(file.words):
        vectors = {network: tensors[name].to(dtype) for network, name in file.word_tensors(place).items()}
        for network, own in vectors.items():
            _, _, queries = known.get(f"{network}.{QUERIES}", (None, 0, None))
            if queries is None or queries.shape.inputs != own.shape[1]:
                raise UserError(f"{file.path.name} was made for another model: the word '{text}' does not fit.")
        words.append(TextualInversion(text=text, vectors=vectors))
    return tuple(words)


def _known(networks: Networks) -> _Known:
    """Where each layer of the model is, by its name in a canonical file: network and number of the bank, its place."""
    return {
        _file_name(network, name): ((network, number), place, bank)
        for network, adapted in networks.items()
        for number, bank in enumerate(adapted.banks)
        for place, name in enumerate(bank.names)
    }


def _places(file: LoraFile, known: _Known, networks: Networks) -> dict[tuple[str, int], dict[int, str]]:
    """For each bank that `file` changes: the layer's name in the file by its place in the bank."""
    places: dict[tuple[str, int], dict[int, str]] = {}
    misfits = 0
    for name, layer in file.layers.items():
        where, place, bank = known.get(name, (None, 0, None))
        if where is None or bank is None or not _fits(layer, networks[where[0]].layers[bank.names[place]].weight.shape):
            misfits += 1
        else:
            places.setdefault(where, {})[place] = name
    if misfits:
        raise UserError(
            f"{file.path.name} was made for another model: {misfits} of its {len(file.layers)} layers do not fit."
        )
    return places


def _vector_names(file: LoraFile, networks: Networks) -> dict[str, dict[str, str]]:
    """For each network whose norms or biases `file` changes: the vectors' names in the file by those in the network."""
    names: dict[str, dict[str, str]] = {}
    for network, adapted in networks.items():
        for own, place in adapted.vectors.places.items():
            name = _file_name(network, own)
            if file.vectors.get(name) == place.stop - place.start:
                names.setdefault(network, {})[own] = name
    if misfits := len(file.vectors) - sum(map(len, names.values())):
        raise UserError(
            f"{file.path.name} was made for another model: {misfits} of the norms and biases that it changes do not "
            "fit."
        )
    return names


def _file_name(network: str, own: str) -> str:
    # Some of transformers' classes wrap CLIP's text model and some are it; a file names layers without the wrapper.
    return f"{network}.{own.removeprefix('text_model.')}"


def _fits(parts: Parts, weight: torch.Size) -> bool:
    # A convolution over single pixels is a Linear to some programs.
    shapes = [tuple(weight), tuple(weight[:2])] if weight[2:].numel() == 1 else [tuple(weight)]
    return all(any(part.fits(shape) for shape in shapes) for part in parts)


def _rank(parts: Parts) -> int:
    return sum(part.rank for part in parts)


def _halves(parts: Parts, name: str, tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """All low-rank parts of a layer side by side."""
    own = _read(parts, name, tensors)
    pairs = [(part.change, part.scale) for part in own if isinstance(part.change, LowRank)]
    down = torch.cat([halves.down.float() for halves, _ in pairs])
    return down, torch.cat([halves.up.float() * scale for halves, scale in pairs], dim=1)


def _empty(bank: Bank, count: int, dtype: torch.dtype, used: Mapping[int, Parts], pin: bool) -> BankPages:
    layers, shape = len(bank.names), bank.shape
    return BankPages(
        down=torch.zeros(count, layers, shape.width, PAGE_RANK, dtype=dtype, pin_memory=pin),
        up=torch.zeros(count, layers, PAGE_RANK, shape.outputs, dtype=dtype, pin_memory=pin),
        used=frozenset(used),
    )


def _write(pages: BankPages, place: int, down: Tensor, up: Tensor) -> None:
    for page in range(ceil(down.shape[0] / PAGE_RANK)):
        part = slice(page * PAGE_RANK, (page + 1) * PAGE_RANK)
        rows = down[part].flatten(1)
        pages.down[page, place, :, : len(rows)] = rows.T
        pages.up[page, place, : len(rows)] = up[:, part].T
