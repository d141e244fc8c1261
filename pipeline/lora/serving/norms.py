"""Diffusers' norms with an update of its own for every row of a batch."""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.lora.serving.vectors import VectorPlace, on_last, on_second


class AdaptedLayerNorm(nn.LayerNorm):
    """A LayerNorm over (rows, ..., channels) with an update for each row."""

    gain_change: VectorPlace
    bias_change: VectorPlace

    @classmethod
    def from_base(cls, base: nn.LayerNorm, gain_change: VectorPlace, bias_change: VectorPlace) -> Self:
        """Adapt a norm; its weights are shared, not copied.

        Args:
            base: the norm.
            gain_change: where its weight finds its update.
            bias_change: where its bias does.

        Returns:
            A norm to stand in its place.
        """
        with torch.device("meta"):
            made = cls(base.normalized_shape, eps=base.eps, bias=base.bias is not None)
        made.weight, made.bias = base.weight, base.bias
        made.gain_change, made.bias_change = gain_change, bias_change
        return made.eval()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The base's output plus what each row's own gain and bias make of the normalized input.

        Args:
            input: (rows, ..., channels).

        Returns:
            Of the same shape.
        """
        output = super().forward(input)
        if (gain := self.gain_change.rows()) is not None:
            plain = functional.layer_norm(input, self.normalized_shape, eps=self.eps)
            output.addcmul_(plain, on_last(gain, output))
        if (bias := self.bias_change.rows()) is not None:
            output.add_(on_last(bias, output))
        return output


class AdaptedGroupNorm(nn.GroupNorm):
    """A GroupNorm over (rows, channels, ...) with an update for each row."""

    gain_change: VectorPlace
    bias_change: VectorPlace

    @classmethod
    def from_base(cls, base: nn.GroupNorm, gain_change: VectorPlace, bias_change: VectorPlace) -> Self:
        """Adapt a norm; its weights are shared, not copied.

        Args:
            base: the norm.
            gain_change: where its weight finds its update.
            bias_change: where its bias does.

        Returns:
            A norm to stand in its place.
        """
        with torch.device("meta"):
            made = cls(base.num_groups, base.num_channels, eps=base.eps)
        made.weight, made.bias = base.weight, base.bias
        made.gain_change, made.bias_change = gain_change, bias_change
        return made.eval()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The base's output plus what each row's own gain and bias make of the normalized input.

        Args:
            input: (rows, channels, ...).

        Returns:
            Of the same shape.
        """
        output = super().forward(input)
        if (gain := self.gain_change.rows()) is not None:
            plain = functional.group_norm(input, self.num_groups, eps=self.eps)
            output.addcmul_(plain, on_second(gain, output))
        if (bias := self.bias_change.rows()) is not None:
            output.add_(on_second(bias, output))
        return output
