"""A layer that runs request by request as one operator, into which a compiler does not look.

A graph holds the layer's name alone: which requests there are, and what their weights are made of, is looked up when it
runs. So one graph serves any LoRAs.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.lora.serving.layers import AdaptedConv2d, AdaptedLinear

_here: Final = threading.local()

Run = Callable[[str, Tensor], Tensor]
"""Runs the layer of a name on an input of all rows."""


@contextmanager
def running(run: Run) -> Iterator[None]:
    """Let the operators of this thread run layers inside this block.

    Args:
        run: without it they run the base.
    """
    before = getattr(_here, "run", None)
    _here.run = run
    try:
        yield
    finally:
        _here.run = before


class OpaqueLayers:
    """Runs each layer as the operator."""

    def forward(self, layer: AdaptedLinear | AdaptedConv2d, given: Tensor) -> Tensor:
        """Run a layer.

        Args:
            layer: of the network.
            given: its input for all rows of the batch.

        Returns:
            Its output without what is added to biases.
        """
        convolution: list[int] = []
        if isinstance(layer, AdaptedConv2d):
            assert not isinstance(layer.padding, str), "diffusers counts pixels"
            convolution = [*layer.stride, *layer.padding, *layer.dilation, layer.groups]
        output: Tensor = _by_request(given, layer.weight, layer.bias, layer.bank.names[layer.place], convolution)
        return output


@torch.library.custom_op("limner::by_request", mutates_args=())
def _by_request(given: Tensor, weight: Tensor, bias: Tensor | None, name: str, convolution: Sequence[int]) -> Tensor:
    run: Run | None = getattr(_here, "run", None)
    return _base(given, weight, bias, name, convolution) if run is None else run(name, given)


@_by_request.register_fake
def _base(
    given: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    name: str,  # noqa: ARG001  the operator's arguments
    convolution: Sequence[int],
) -> Tensor:
    """The base's output; `convolution` is a Conv2d's stride, padding, dilation and groups, empty for a Linear."""
    if not convolution:
        return functional.linear(given, weight, bias)
    *pairs, groups = convolution
    return functional.conv2d(given, weight, bias, pairs[:2], pairs[2:4], pairs[4:], groups)
