"""Diffusers' Linear and Conv2d layers with a LoRA of its own for every row of a batch.

LoRA: Hu et al., 2021 (arXiv 2106.09685); batched over rows as Punica does for language models (Chen et al., 2023, arXiv
2310.18547).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.lora.serving.norms import AdaptedGroupNorm, AdaptedLayerNorm
from pipeline.lora.serving.vectors import VectorBank, VectorPlace, on_last, on_second


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """What layers must have in common to share a tensor; `kernel` is (1, 1) for a Linear.

    `inputs` are those that one output sees, a part of the layer's own where it has several `groups`.
    """

    inputs: int
    outputs: int
    kernel: tuple[int, int]
    groups: int = 1

    @property
    def width(self) -> int:
        """The inputs of one output of the down half: input channels times the kernel's area."""
        return self.inputs * self.kernel[0] * self.kernel[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWeights:
    """The low-rank updates of one bank's layers for each row of the running batch.

    `down` is (layers, rows, width, rank) and `up` is (layers, rows, rank, outputs), with scales folded in; `used` are
    the places of the layers that are changed for any row.
    """

    down: Tensor
    up: Tensor
    used: set[int]
    _halves: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False)

    def of(self, place: int) -> tuple[Tensor, Tensor]:
        """The halves of one layer; both tensors stay where they are, so each layer's part is taken once.

        Args:
            place: of the layer.

        Returns:
            (rows, width, rank) and (rows, rank, outputs).
        """
        if place not in self._halves:
            self._halves[place] = self.down[place], self.up[place]
        return self._halves[place]


class ByRequest(Protocol):
    """Runs layers request by request instead of all rows at once."""

    def forward(self, layer: "AdaptedLinear | AdaptedConv2d", given: Tensor) -> Tensor:
        """Run a layer.

        Args:
            layer: of the network.
            given: its input for all rows of the batch.

        Returns:
            Its output without what is added to biases.
        """


@dataclass(slots=True, kw_only=True)
class Bank:
    """All layers of one shape in one network, by name.

    `rows` is what they use in the running forward, and `own` runs it request by request, where any has its own weights.
    """

    shape: LayerShape
    names: list[str] = field(default_factory=list)
    rows: RowWeights | None = None
    own: ByRequest | None = None

    def of(self, place: int) -> tuple[Tensor, Tensor] | None:
        """The halves of one layer's update for all rows.

        Args:
            place: of the layer in `names`.

        Returns:
            (rows, width, rank) and (rows, rank, outputs); None where nothing changes the layer.
        """
        if self.rows is None or place not in self.rows.used:
            return None
        return self.rows.of(place)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptedNetwork:
    """The adapted layers of one network by name, and where they find their rows' updates."""

    banks: tuple[Bank, ...]
    vectors: VectorBank
    layers: "Mapping[str, AdaptedLinear | AdaptedConv2d]"


class AdaptedLinear(nn.Linear):
    """A Linear over (rows, ..., inputs) with an update for each row."""

    bank: Bank
    place: int
    bias_change: VectorPlace

    @classmethod
    def from_base(cls, base: nn.Linear, bank: Bank, place: int, bias_change: VectorPlace) -> Self:
        """Adapt a layer; its weights are shared, not copied.

        Args:
            base: the layer.
            bank: of its shape.
            place: its place there.
            bias_change: where its bias finds its update.

        Returns:
            A layer to stand in its place.
        """
        with torch.device("meta"):
            made = cls(base.in_features, base.out_features, bias=base.bias is not None)
        made.weight, made.bias = base.weight, base.bias
        made.bank, made.place, made.bias_change = bank, place, bias_change
        return made.eval()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The base's output plus each row's own update.

        Args:
            input: (rows, ..., inputs).

        Returns:
            (rows, ..., outputs).
        """
        if self.bank.own is not None:
            output = self.bank.own.forward(self, input)
        else:
            output = super().forward(input)
            if (halves := self.bank.of(self.place)) is not None:
                output = self.changed(output, input, *halves)
        if (bias := self.bias_change.rows()) is not None:
            output.add_(on_last(bias, output))
        return output

    def product(self, given: Tensor, weight: Tensor) -> Tensor:
        """The base's output with another weight.

        Args:
            given: (rows, ..., inputs).
            weight: of the shape of the layer's own.

        Returns:
            (rows, ..., outputs).
        """
        return functional.linear(given, weight, self.bias)

    def product_into(self, output: Tensor, given: Tensor, weight: Tensor) -> None:
        """As `product`, into memory that is there.

        Args:
            output: (rows, ..., outputs), in one piece.
            given: (rows, ..., inputs).
            weight: of the shape of the layer's own, not quantized.
        """
        made, matrix = output.view(-1, self.out_features), given.reshape(-1, self.in_features)
        if self.bias is None:
            torch.mm(matrix, weight.T, out=made)
        else:
            torch.addmm(self.bias, matrix, weight.T, out=made)

    def changed(self, output: Tensor, given: Tensor, down: Tensor, up: Tensor) -> Tensor:
        """Add what the two halves of an update make of the input.

        Args:
            output: (rows, ..., outputs), of the base; it is changed in place.
            given: (rows, ..., inputs).
            down: (rows, width, rank).
            up: (rows, rank, outputs).

        Returns:
            `output`.
        """
        rows = len(down)
        hidden = torch.bmm(given.reshape(rows, -1, self.in_features), down)
        output.view(rows, -1, self.out_features).baddbmm_(hidden, up)
        return output


class AdaptedConv2d(nn.Conv2d):
    """A Conv2d over (rows, inputs, height, width) with an update for each row."""

    bank: Bank
    place: int
    bias_change: VectorPlace

    @classmethod
    def from_base(cls, base: nn.Conv2d, bank: Bank, place: int, bias_change: VectorPlace) -> Self:
        """Adapt a layer; its weights are shared, not copied.

        Args:
            base: the layer.
            bank: of its shape.
            place: its place there.
            bias_change: where its bias finds its update.

        Returns:
            A layer to stand in its place.
        """
        with torch.device("meta"):
            made = cls(
                base.in_channels,
                base.out_channels,
                base.kernel_size,  # type: ignore[arg-type]  # torch types it wider than it is
                stride=base.stride,  # type: ignore[arg-type]  # as above
                padding=base.padding,  # type: ignore[arg-type]  # as above
                dilation=base.dilation,  # type: ignore[arg-type]  # as above
                groups=base.groups,
                bias=base.bias is not None,
                padding_mode=base.padding_mode,
            )
        made.weight, made.bias = base.weight, base.bias
        made.bank, made.place, made.bias_change = bank, place, bias_change
        return made.eval()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The base's output plus each row's own update; the down half is one convolution with a group for each row.

        Args:
            input: (rows, inputs, height, width).

        Returns:
            (rows, outputs, height, width).
        """
        if self.bank.own is not None:
            output = self.bank.own.forward(self, input)
        else:
            output = super().forward(input)
            if (halves := self.bank.of(self.place)) is not None:
                output = self.changed(output, input, *halves)
        if (bias := self.bias_change.rows()) is not None:
            output.add_(on_second(bias, output))
        return output

    def product(self, given: Tensor, weight: Tensor) -> Tensor:
        """The base's output with another weight.

        Args:
            given: (rows, inputs, height, width).
            weight: of the shape of the layer's own.

        Returns:
            (rows, outputs, height, width).
        """
        output: Tensor = self._conv_forward(given, weight, self.bias)
        return output

    def changed(self, output: Tensor, given: Tensor, down: Tensor, up: Tensor) -> Tensor:
        """Add what the two halves of an update make of the input; the layer is not grouped.

        Args:
            output: (rows, outputs, height, width), of the base; it is changed in place, so that what follows meets the
                same layout in memory whether a neighbour has a LoRA here or not.
            given: (rows, inputs, height, width).
            down: (rows, width, rank).
            up: (rows, rank, outputs).

        Returns:
            `output`.
        """
        rows, _, rank = down.shape
        kernels = down.transpose(1, 2).reshape(rows * rank, self.in_channels, *self.kernel_size)
        folded = given.reshape(1, rows * self.in_channels, *given.shape[2:])
        hidden = functional.conv2d(
            folded, kernels, stride=self.stride, padding=self.padding, dilation=self.dilation, groups=rows
        )
        return output.add_(torch.bmm(up.transpose(1, 2), hidden.view(rows, rank, -1)).view(output.shape))


def adapt(network: nn.Module) -> AdaptedNetwork:
    """Replace every Linear, Conv2d and norm of a network by an adapted one, in place.

    Args:
        network: a diffusers UNet or a CLIP text model.

    Returns:
        Where the adapted layers find their rows' updates.
    """
    banks: dict[LayerShape, Bank] = {}
    vectors = VectorBank()
    layers = {}
    for name, layer in list(network.named_modules()):
        if (adapted := _adapted(name, layer, banks, vectors)) is not None:
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, adapted)
            if isinstance(adapted, AdaptedLinear | AdaptedConv2d):
                layers[name] = adapted
    return AdaptedNetwork(banks=tuple(banks.values()), vectors=vectors, layers=layers)


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
    """The shape of a layer that can be adapted.

    Args:
        layer: any module.

    Returns:
        None for a layer that cannot.
    """
    match layer:
        case nn.Linear():
            return LayerShape(inputs=layer.in_features, outputs=layer.out_features, kernel=(1, 1))
        case nn.Conv2d():
            height, width = layer.kernel_size
            inputs, groups = layer.in_channels // layer.groups, layer.groups
            return LayerShape(inputs=inputs, outputs=layer.out_channels, kernel=(height, width), groups=groups)
        case _:
            return None
