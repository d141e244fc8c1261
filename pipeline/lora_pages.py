"""A LoRA cut into pages of sixteen ranks: one tensor for each shape of layer instead of two for each layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora_file import QUERIES, LoraFile, LoraLayer
from pipeline.lora_layers import Bank
from pipeline.taught_words import TaughtWord

PAGE_RANK: Final = 16

Networks = Mapping[str, Sequence[Bank]]
_Known = Mapping[str, tuple[tuple[str, int], int, Bank]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BankPages:
    """One LoRA's part in one bank, on the host.

    `down` is (pages, layers, width, 16) and `up` is (pages, layers, 16, outputs); ranks past a layer's own are zeros.
    `used` are the places of the layers that the LoRA changes.
    """

    down: Tensor
    up: Tensor
    used: frozenset[int]

    @property
    def count(self) -> int:
        """How many pages."""
        return int(self.down.shape[0])

    @property
    def size(self) -> int:
        """Bytes of both halves."""
        return self.down.nbytes + self.up.nbytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraPages:
    """One LoRA in pages, by network and number of the bank in it; banks that it leaves alone are not there.

    `words` are those that it teaches the text encoders.
    """

    banks: Mapping[tuple[str, int], BankPages]
    words: tuple[TaughtWord, ...] = ()

    @property
    def size(self) -> int:
        """Bytes on the host."""
        return sum(pages.size for pages in self.banks.values()) + sum(word.size for word in self.words)


def load_pages(path: Path, networks: Networks, dtype: torch.dtype, *, pin: bool) -> LoraPages:
    """Read the canonical LoRA at `path` for a model with these `networks`.

    `pin` puts it where a GPU can fetch it by itself. Raises UserError if it is damaged or made for another model.
    """
    file = LoraFile.open(path)
    known = _known(networks)
    places = _places(file, known)
    try:
        # Not `safe_open`, which leaves some bytes of every tensor behind for good (safetensors 0.8.0).
        tensors = load(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path.name} is damaged ({error}); add it to the library again.") from error
    banks = {}
    for where, names in places.items():
        bank = networks[where[0]][where[1]]
        ranks = {place: file.layers[name] for place, name in names.items()}
        pages = _empty(bank, ceil(max(layer.rank for layer in ranks.values()) / PAGE_RANK), dtype, ranks, pin)
        for place, name in names.items():
            _write(pages, place, tensors.pop(f"{name}.down"), tensors.pop(f"{name}.up"))
        banks[where] = pages
    return LoraPages(banks=banks, words=_taught(file, tensors, known, dtype))


def _taught(file: LoraFile, tensors: dict[str, Tensor], known: _Known, dtype: torch.dtype) -> tuple[TaughtWord, ...]:
    words = []
    for place, text in enumerate(file.words):
        vectors = {network: tensors.pop(name).to(dtype) for network, name in file.word_tensors(place).items()}
        for network, own in vectors.items():
            _, _, queries = known.get(f"{network}.{QUERIES}", (None, 0, None))
            if queries is None or queries.shape.inputs != own.shape[1]:
                raise UserError(f"{file.path.name} was made for another model: the word '{text}' does not fit.")
        words.append(TaughtWord(text=text, vectors=vectors))
    return tuple(words)


def _known(networks: Networks) -> _Known:
    """Where each layer of the model is, by its name in a canonical file: network and number of the bank, its place."""
    return {
        # Some of transformers' classes wrap CLIP's text model and some are it; a file names layers without the wrapper.
        f"{network}.{name.removeprefix('text_model.')}": ((network, number), place, bank)
        for network, banks in networks.items()
        for number, bank in enumerate(banks)
        for place, name in enumerate(bank.names)
    }


def _places(file: LoraFile, known: _Known) -> dict[tuple[str, int], dict[int, str]]:
    """For each bank that `file` changes: the layer's name in the file by its place in the bank."""
    places: dict[tuple[str, int], dict[int, str]] = {}
    strangers = 0
    for name, layer in file.layers.items():
        where, place, bank = known.get(name, (None, 0, None))
        if where is None or bank is None or not _fits(layer, bank):
            strangers += 1
        else:
            places.setdefault(where, {})[place] = name
    if strangers:
        raise UserError(
            f"{file.path.name} was made for another model: {strangers} of its {len(file.layers)} layers do not fit."
        )
    return places


def _fits(layer: LoraLayer, bank: Bank) -> bool:
    shape = bank.shape
    kernel = layer.down[2:] or (1, 1)
    return (layer.down[1], layer.up[0], kernel) == (shape.inputs, shape.outputs, shape.kernel)


def _empty(bank: Bank, count: int, dtype: torch.dtype, used: Mapping[int, LoraLayer], pin: bool) -> BankPages:
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
