"""A LoRA cut into pages of sixteen ranks: one tensor for each shape of layer instead of two for each layer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora.format.file import QUERIES, LoraFile, Parts, part_name
from pipeline.lora.format.part_header import PartKind
from pipeline.lora.format.parts import LowRank, read_part
from pipeline.lora.serving.layers import AdaptedNetwork, Bank
from pipeline.lora.serving.vectors import Vectors
from pipeline.models.textual_inversion import TextualInversion

PAGE_RANK: Final = 16

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
    """One LoRA in pages, by network and number of the bank; banks that it leaves alone are not there.

    `vectors` is what it adds to norms and biases, by network; `words` are its textual inversions.
    """

    banks: Mapping[tuple[str, int], BankPages]
    vectors: Mapping[str, Vectors] = field(default_factory=dict)
    words: tuple[TextualInversion, ...] = ()

    @property
    def size(self) -> int:
        """Bytes on the host."""
        pages = sum(pages.size for pages in self.banks.values())
        vectors = sum(vectors.values.nbytes for vectors in self.vectors.values())
        return pages + vectors + sum(word.size for word in self.words)


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
    places = _places(file, known)
    names = _vector_names(file, networks)
    try:
        # Not `safe_open`, which leaves some bytes of every tensor behind for good (safetensors 0.8.0).
        tensors = load(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path.name} is damaged ({error}); add it to the library again.") from error
    banks = {}
    for where, layers in places.items():
        bank = networks[where[0]].banks[where[1]]
        ranks = {place: file.layers[name] for place, name in layers.items()}
        pages = _empty(bank, ceil(max(map(_rank, ranks.values())) / PAGE_RANK), dtype, ranks, pin)
        for place, name in layers.items():
            _write(pages, place, *_halves(file.layers[name], name, tensors))
        banks[where] = pages
    vectors = {network: _vectors(networks[network], own, tensors, dtype, pin) for network, own in names.items()}
    return LoraPages(banks=banks, vectors=vectors, words=_textual_inversions(file, tensors, known, dtype))


def _vectors(
    network: AdaptedNetwork, names: Mapping[str, str], tensors: dict[str, Tensor], dtype: torch.dtype, pin: bool
) -> Vectors:
    """All vectors of one network in a row; `names` are those in the file by those in the network."""
    values = torch.zeros(network.vectors.width, dtype=dtype, pin_memory=pin)
    for own, name in names.items():
        values[network.vectors.places[own]] = tensors.pop(name)
    return Vectors(values=values, used=frozenset(names))


def _textual_inversions(
    file: LoraFile, tensors: dict[str, Tensor], known: _Known, dtype: torch.dtype
) -> tuple[TextualInversion, ...]:
    words = []
    for place, text in enumerate(file.words):
        vectors = {network: tensors.pop(name).to(dtype) for network, name in file.word_tensors(place).items()}
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


def _places(file: LoraFile, known: _Known) -> dict[tuple[str, int], dict[int, str]]:
    """For each bank that `file` changes: the layer's name in the file by its place in the bank."""
    places: dict[tuple[str, int], dict[int, str]] = {}
    misfits = 0
    for name, layer in file.layers.items():
        where, place, bank = known.get(name, (None, 0, None))
        if where is None or bank is None or not _fits(layer, bank):
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


def _fits(parts: Parts, bank: Bank) -> bool:
    shape = bank.shape
    weight = (shape.outputs, shape.inputs, *shape.kernel)
    return all(part.kind is PartKind.LOW_RANK and (part.fits(weight) or part.fits(weight[:2])) for part in parts)


def _rank(parts: Parts) -> int:
    return sum(part.rank for part in parts)


def _halves(parts: Parts, name: str, tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """All low-rank parts of a layer side by side."""
    own = [read_part(header, part_name(name, number), tensors) for number, header in enumerate(parts)]
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
