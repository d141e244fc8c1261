"""The parts of a LoRA that run on own weights, as its file has them, in one arena."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pipeline.lora.format.part_header import PartHeader
from pipeline.lora.format.parts import Part, read_part, tensors_of
from pipeline.lora.format.weight_change import Norms
from pipeline.lora.serving.arena import Arena
from pipeline.lora.serving.own_weight import LayerPart

Layers = Mapping[str, Mapping[str, tuple[LayerPart, ...]]]
"""Parts by network and layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraParts:
    """One LoRA's parts in an arena, and what each is and its own scale, by network and layer."""

    arena: Arena
    headers: Mapping[str, Mapping[str, tuple[tuple[PartHeader, float], ...]]]

    @classmethod
    def of(cls, layers: Mapping[str, Mapping[str, Sequence[LayerPart]]], *, pin: bool) -> "LoraParts":
        """Copy parts into an arena.

        Args:
            layers: parts by network and layer, on the host.
            pin: put them into pinned memory, from which a GPU copies by itself.

        Returns:
            On the host.
        """
        tensors: dict[str, Tensor] = {}
        headers: dict[str, dict[str, tuple[tuple[PartHeader, float], ...]]] = {}
        for network, own in layers.items():
            for layer, parts in own.items():
                for number, each in enumerate(parts):
                    tensors |= _named(_name(network, layer, number), each)
                headers.setdefault(network, {})[layer] = tuple((_header(each.part), each.part.scale) for each in parts)
        return cls(arena=Arena.of(tensors, pin=pin), headers=headers)

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return self.arena.size

    def copied_to(self, device: torch.device) -> "LoraParts":
        """Bring the parts to a device.

        Args:
            device: that shall hold them.

        Returns:
            A copy there.
        """
        return replace(self, arena=self.arena.copied_to(device))

    @torch.inference_mode()
    def wipe(self) -> None:
        """Set all numbers to zero: nothing of one guild's LoRA may be left for another's."""
        self.arena.bytes.zero_()

    def layers(self) -> dict[str, dict[str, tuple[LayerPart, ...]]]:
        """The parts.

        Returns:
            By network and layer, as views of the arena.
        """
        tensors = self.arena.tensors()
        return {
            network: {
                layer: tuple(
                    _read(header, scale, _name(network, layer, number), tensors)
                    for number, (header, scale) in enumerate(headers)
                )
                for layer, headers in own.items()
            }
            for network, own in self.headers.items()
        }


def _name(network: str, layer: str, number: int) -> str:
    return f"{network}.{layer}.{number}"


def _header(part: Part) -> PartHeader:
    # The scale stays a plain number, which a GPU does not wait for.
    return PartHeader.of({side: tuple(tensor.shape) for side, tensor in tensors_of(replace(part, scale=1.0)).items()})


def _named(name: str, each: LayerPart) -> dict[str, Tensor]:
    tensors = {f"{name}.{side}": tensor for side, tensor in tensors_of(replace(each.part, scale=1.0)).items()}
    if (norms := each.norms) is not None:
        tensors |= {f"{name}.base": norms.base, f"{name}.cross": norms.cross, f"{name}.added": norms.added}
    return tensors


def _read(header: PartHeader, scale: float, name: str, tensors: Mapping[str, Tensor]) -> LayerPart:
    part = replace(read_part(header, name, tensors), scale=scale)
    if part.magnitude is None:
        return LayerPart(part=part)
    norms = Norms(base=tensors[f"{name}.base"], cross=tensors[f"{name}.cross"], added=tensors[f"{name}.added"])
    return LayerPart(part=part, norms=norms)
