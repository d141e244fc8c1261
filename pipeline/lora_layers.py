"""Diffusers' Linear and Conv2d layers with a low-rank change of its own for every row of a batch.

Hu et al., 2021 (LoRA; arXiv 2106.09685), batched over rows as Punica does for language models (Chen et al., 2023;
arXiv 2310.18547).
"""

from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """What two layers must share to lie in one tensor; `kernel` is (1, 1) for a Linear."""

    inputs: int
    outputs: int
    kernel: tuple[int, int]

    @property
    def width(self) -> int:
        """Numbers that one output of the down half looks at."""
        return self.inputs * self.kernel[0] * self.kernel[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWeights:
    """The low-rank changes of one shape's layers for each row of the batch that is running.

    `down` is (layers, rows, width, rank) and `up` (layers, rows, rank, outputs), with scales folded in; a layer that is
    not in `used` changes for no row.
    """

    down: Tensor
    up: Tensor
    used: set[int]


@dataclass(slots=True, kw_only=True)
class Bank:
    """All layers of one shape in one network, by name; `rows` is what they use in the forward that is running."""

    shape: LayerShape
    names: list[str] = field(default_factory=list)
    rows: RowWeights | None = None

    def of(self, place: int) -> tuple[Tensor, Tensor] | None:
        """The down and up halves of the layer at `place` for all rows; None where nothing changes it."""
        if self.rows is None or place not in self.rows.used:
            return None
        return self.rows.down[place], self.rows.up[place]


class AdaptedLinear(nn.Linear):
    """A Linear over (rows, ..., inputs)."""

    bank: Bank
    place: int

    @classmethod
    def from_base(cls, base: nn.Linear, bank: Bank, place: int) -> Self:
        """The same layer with the same weights, which stay where they are."""
        with torch.device("meta"):
            made = cls(base.in_features, base.out_features, bias=base.bias is not None)
        made.weight, made.bias = base.weight, base.bias
        made.bank, made.place = bank, place
        return made.eval()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The base's output plus each row's own change."""
        output = super().forward(input)
        if (halves := self.bank.of(self.place)) is None:
            return output
        down, up = halves
        rows = down.shape[0]
        hidden = torch.bmm(input.reshape(rows, -1, input.shape[-1]), down)
        return torch.baddbmm(output.view(rows, -1, output.shape[-1]), hidden, up).view(output.shape)


class AdaptedConv2d(nn.Conv2d):
    """A Conv2d over (rows, inputs, height, width)."""

    bank: Bank
    place: int

    @classmethod
    def from_base(cls, base: nn.Conv2d, bank: Bank, place: int) -> Self:
        """The same layer with the same weights, which stay where they are."""
        with torch.device("meta"):
            made = cls(
                base.in_channels,
                base.out_channels,
                base.kernel_size,  # type: ignore[arg-type]  # torch types it wider than it is
                stride=base.stride,  # type: ignore[arg-type]  # as above
                padding=base.padding,  # type: ignore[arg-type]  # as above
                bias=base.bias is not None,
            )
        made.weight, made.bias = base.weight, base.bias
        made.bank, made.place = bank, place
        return made.eval()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The base's output plus each row's own change: the down half is one convolution with a group for each row."""
        output = super().forward(input)
        if (halves := self.bank.of(self.place)) is None:
            return output
        down, up = halves
        rows, _, rank = down.shape
        kernels = down.transpose(1, 2).reshape(rows * rank, self.in_channels, *self.kernel_size)
        folded = input.reshape(1, rows * self.in_channels, *input.shape[2:])
        hidden = functional.conv2d(folded, kernels, stride=self.stride, padding=self.padding, groups=rows)
        change = torch.bmm(up.transpose(1, 2), hidden.view(rows, rank, -1))
        # In place, so that what follows meets the same layout in memory whether a neighbour has a LoRA here or not.
        return output.add_(change.view(output.shape))


def adapt(network: nn.Module) -> list[Bank]:
    """Put adapted layers in the place of every Linear and Conv2d of `network`; returns them by shape."""
    banks: dict[LayerShape, Bank] = {}
    for name, layer in list(network.named_modules()):
        if (shape := shape_of(layer)) is None:
            continue
        bank = banks.setdefault(shape, Bank(shape=shape))
        parent, _, own = name.rpartition(".")
        adapted = AdaptedLinear if isinstance(layer, nn.Linear) else AdaptedConv2d
        setattr(network.get_submodule(parent), own, adapted.from_base(layer, bank, len(bank.names)))
        bank.names.append(name)
    return list(banks.values())


def shape_of(layer: nn.Module) -> LayerShape | None:
    """The shape of a layer that can be adapted, else None."""
    match layer:
        case nn.Linear():
            return LayerShape(inputs=layer.in_features, outputs=layer.out_features, kernel=(1, 1))
        case nn.Conv2d(groups=1):
            height, width = layer.kernel_size
            return LayerShape(inputs=layer.in_channels, outputs=layer.out_channels, kernel=(height, width))
        case _:
            return None
