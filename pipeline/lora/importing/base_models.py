"""Base models by the layers that a LoRA for them changes: the layers' names and shapes, in every trainer's dialect.

A name is flattened first: without its prefix, with `_` for `.`. A file is for the bases that have all those of its
layers that any base of `base_model_layers` has.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from pipeline.lora.importing.base_model_layers import base_model_layers

_PREFIX: Final = re.compile(
    r"(?:lora_(?:unet|transformer|dit|prior_unet|prior(?!_te))_"
    r"|lycoris_(?:unet_)?"
    r"|(?:base_model\.model\.|model\.|diffusion_model\.|transformer(?:_2)?\.|dit\.|unet\.|net\.|module\.|_orig_mod\.)+)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """A layer that a file changes: its flat name and its width in and out, 0 where the file does not show it."""

    name: str
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class _Sign:
    pattern: re.Pattern[str]
    inputs: frozenset[int]
    outputs: frozenset[int]

    def fits(self, layer: LayerShape) -> bool:
        wide = not self.inputs or not layer.inputs or layer.inputs in self.inputs
        high = not self.outputs or not layer.outputs or layer.outputs in self.outputs
        return wide and high and self.pattern.fullmatch(layer.name) is not None


def flat_name(name: str) -> str:
    """A layer's name in the table's form.

    Args:
        name: as a file writes it.

    Returns:
        Without the prefix of its trainer.
    """
    return _PREFIX.sub("", name, count=1).replace(".", "_") if _PREFIX.match(name) else name.replace(".", "_")


def bases_of(layers: Iterable[LayerShape]) -> frozenset[str]:
    """The bases that have the layers of a file.

    Args:
        layers: of the file; those that no base of the table has say nothing.

    Returns:
        By the names that people write; empty where nothing is known, or where no base has them all.
    """
    found: frozenset[str] | None = None
    for shape in set(layers):
        if own := frozenset(base for base, signs in _table() if any(sign.fits(shape) for sign in signs)):
            found = own if found is None else found & own
            if not found:
                break
    return found or frozenset()


@cache
def _table() -> tuple[tuple[str, tuple[_Sign, ...]], ...]:
    return tuple((base, tuple(map(_sign, lines))) for base, lines in base_model_layers())


def _sign(line: str) -> _Sign:
    pattern, inputs, outputs = line.rsplit(" ", 2)
    numbered = re.sub(r"\{(\d+)\}", lambda match: _below(int(match[1])), pattern)
    return _Sign(re.compile(numbered, re.ASCII), _widths(inputs), _widths(outputs))


def _below(limit: int) -> str:
    return f"(?:{'|'.join(str(number) for number in reversed(range(limit)))})"


def _widths(text: str) -> frozenset[int]:
    return frozenset() if text == "*" else frozenset(int(width) for width in text.split(","))
