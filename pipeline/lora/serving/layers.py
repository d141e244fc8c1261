"""Diffusers' Linear and Conv2d layers and norms with a change of its own for every row of a batch.

Hu et al., 2021 (LoRA; arXiv 2106.09685), batched over rows as Punica does for language models (Chen et al., 2023;
arXiv 2310.18547).
"""

from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.lora.serving.vectors import VectorBank, VectorPlace


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptedNetwork:
    """What the adapted layers of one network look into for their rows' changes."""

    banks: tuple[Bank, ...]
    vectors: VectorBank


class AdaptedLinear(nn.Linear):
    """A Linear over (rows, ..., inputs)."""

    bank: Bank
    place: int
    bias_change: VectorPlace

    @classmethod
    def from_base(cls, base: nn.Linear, bank: Bank, place: int, bias_change: VectorPlace) -> Self:
        """The same layer with the same weights, which stay where they are."""
        with torch.device("meta"):
            made = cls(base.in_features, base.out_features, bias=base.bias is not None)
        made.weight, made.bias = base.weight, base.bias
        made.bank, made.place, made.bias_change = bank, place, bias_change
        return made.eval()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The base's output plus each row's own change."""
        output = super().forward(input)
        if (halves := self.bank.of(self.place)) is not None:
            down, up = halves
            rows = down.shape[0]
            hidden = torch.bmm(input.reshape(rows, -1, input.shape[-1]), down)
            output = torch.baddbmm(output.view(rows, -1, output.shape[-1]), hidden, up).view(output.shape)
        if (bias := self.bias_change.rows()) is not None:
            output.add_(_on_last(bias, output))
        return output


class AdaptedConv2d(nn.Conv2d):
    """A Conv2d over (rows, inputs, height, width)."""

    bank: Bank
    place: int
    bias_change: VectorPlace

    @classmethod
    def from_base(cls, base: nn.Conv2d, bank: Bank, place: int, bias_change: VectorPlace) -> Self:
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
        made.bank, made.place, made.bias_change = bank, place, bias_change
        return made.eval()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The base's output plus each row's own change: the down half is one convolution with a group for each row."""
        output = super().forward(input)
        # In place, so that what follows meets the same layout in memory whether a neighbour has a LoRA here or not.
        if (halves := self.bank.of(self.place)) is not None:
            output.add_(self._change(input, *halves).view(output.shape))
        if (bias := self.bias_change.rows()) is not None:
            output.add_(_on_second(bias, output))
        return output

    def _change(self, input: Tensor, down: Tensor, up: Tensor) -> Tensor:  # noqa: A002  torch's own name
        rows, _, rank = down.shape
        kernels = down.transpose(1, 2).reshape(rows * rank, self.in_channels, *self.kernel_size)
        folded = input.reshape(1, rows * self.in_channels, *input.shape[2:])
        hidden = functional.conv2d(folded, kernels, stride=self.stride, padding=self.padding, groups=rows)
        return torch.bmm(up.transpose(1, 2), hidden.view(rows, rank, -1))


class AdaptedLayerNorm(nn.LayerNorm):
    """A LayerNorm over (rows, ..., channels)."""

    gain_change: VectorPlace
    bias_change: VectorPlace

    @classmethod
    def from_base(cls, base: nn.LayerNorm, gain_change: VectorPlace, bias_change: VectorPlace) -> Self:
        """The same norm with the same weights, which stay where they are."""
        with torch.device("meta"):
            made = cls(base.normalized_shape, eps=base.eps, bias=base.bias is not None)
        made.weight, made.bias = base.weight, base.bias
        made.gain_change, made.bias_change = gain_change, bias_change
        return made.eval()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The base's output plus what each row's own gain and bias make of the normalized input."""
        output = super().forward(input)
        if (gain := self.gain_change.rows()) is not None:
            plain = functional.layer_norm(input, self.normalized_shape, eps=self.eps)
            output.addcmul_(plain, _on_last(gain, output))
        if (bias := self.bias_change.rows()) is not None:
            output.add_(_on_last(bias, output))
        return output


class AdaptedGroupNorm(nn.GroupNorm):
    """A GroupNorm over (rows, channels, ...)."""

    gain_change: VectorPlace
    bias_change: VectorPlace

    @classmethod
    def from_base(cls, base: nn.GroupNorm, gain_change: VectorPlace, bias_change: VectorPlace) -> Self:
        """The same norm with the same weights, which stay where they are."""
        with torch.device("meta"):
            made = cls(base.num_groups, base.num_channels, eps=base.eps)
        made.weight, made.bias = base.weight, base.bias
        made.gain_change, made.bias_change = gain_change, bias_change
        return made.eval()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The base's output plus what each row's own gain and bias make of the normalized input."""
        output = super().forward(input)
        if (gain := self.gain_change.rows()) is not None:
            plain = functional.group_norm(input, self.num_groups, eps=self.eps)
            output.addcmul_(plain, _on_second(gain, output))
        if (bias := self.bias_change.rows()) is not None:
            output.add_(_on_second(bias, output))
        return output


def adapt(network: nn.Module) -> AdaptedNetwork:
    """Put adapted layers in the place of every Linear, Conv2d and norm of `network`; returns what they look into."""
    banks: dict[LayerShape, Bank] = {}
    vectors = VectorBank()
    for name, layer in list(network.named_modules()):
        if (adapted := _adapted(name, layer, banks, vectors)) is not None:
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, adapted)
    return AdaptedNetwork(banks=tuple(banks.values()), vectors=vectors)


def _adapted(name: str, layer: nn.Module, banks: dict[LayerShape, Bank], vectors: VectorBank) -> nn.Module | None:
    match layer:
        case nn.LayerNorm():
            return AdaptedLayerNorm.from_base(layer, *_norm_places(name, layer.weight, vectors))
        case nn.GroupNorm():
            return AdaptedGroupNorm.from_base(layer, *_norm_places(name, layer.weight, vectors))
    if (shape := shape_of(layer)) is None:
        return None
    bank = banks.setdefault(shape, Bank(shape=shape))
    bank.names.append(name)
    kind: Any = AdaptedLinear if isinstance(layer, nn.Linear) else AdaptedConv2d
    made: nn.Module = kind.from_base(layer, bank, len(bank.names) - 1, vectors.place(f"{name}.bias", shape.outputs))
    return made


def _norm_places(name: str, weight: Tensor, vectors: VectorBank) -> tuple[VectorPlace, VectorPlace]:
    return vectors.place(f"{name}.gain", weight.numel()), vectors.place(f"{name}.bias", weight.numel())


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


def _on_last(vectors: Tensor, output: Tensor) -> Tensor:
    """`vectors` (rows, channels) as they are added to (rows, ..., channels)."""
    return vectors.view(len(vectors), *[1] * (output.ndim - 2), -1)


def _on_second(vectors: Tensor, output: Tensor) -> Tensor:
    """`vectors` (rows, channels) as they are added to (rows, channels, ...)."""
    return vectors.view(*vectors.shape, *[1] * (output.ndim - 2))
