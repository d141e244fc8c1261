"""Full fine-tuning: every weight learns, and its difference from the untrained one is what is kept."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn

from pipeline.lora.format.parts import Difference, Part
from pipeline.lora.importing.base_layers import CLIP_WRAPPER
from pipeline.lora.importing.changes import LayerChange

_LEARN: Final = (nn.Linear, nn.Conv2d, nn.LayerNorm, nn.GroupNorm)


class FullWeights:
    """All layers and norms of networks, in float32, trainable; a copy of what they were stays in host memory.

    Args:
        networks: by name (`unet`, `text_encoder`); they are changed in place.
    """

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        self._layers: dict[str, Any] = {}
        for network, module in networks.items():
            module.float()
            for name, layer in module.named_modules():
                if isinstance(layer, _LEARN):
                    layer.requires_grad_()
                    self._layers[f"{network}.{name.removeprefix(CLIP_WRAPPER)}"] = layer
        self._before = {
            name: [parameter.detach().to("cpu", copy=True) for parameter in layer.parameters()]
            for name, layer in self._layers.items()
        }

    def parameters(self, network: str) -> list[nn.Parameter]:
        """What is trained of one network.

        Args:
            network: one of the names that it was made with.

        Returns:
            The parameters, always in the same order.
        """
        own = [layer for name, layer in self._layers.items() if name.startswith(f"{network}.")]
        return [parameter for layer in own for parameter in layer.parameters()]

    @contextmanager
    def at(self, strength: float) -> Iterator[None]:
        """Run the model with a part of the change inside this block.

        Args:
            strength: 0 is the untrained model, 1 the trained one.
        """
        learnt = [[parameter.detach().clone() for parameter in layer.parameters()] for layer in self._layers.values()]
        self._put([torch.lerp(before.to(now.device), now, strength) for before, now in self._pairs(learnt)])
        try:
            yield
        finally:
            self._put([parameter for own in learnt for parameter in own])

    def changes(self) -> Iterator[tuple[str, LayerChange]]:
        """What was learnt.

        Yields:
            Layers' canonical names, and the difference of their weights and biases.
        """
        for name, layer in self._layers.items():
            weight, *bias = [
                now.detach().cpu().double() - before.double()
                for now, before in zip(layer.parameters(), self._before[name], strict=True)
            ]
            learnt = bias[0] if bias else None
            if weight.ndim == 1:
                yield name, LayerChange(gain=weight, bias=learnt)
            else:
                yield name, LayerChange(parts=(Part(change=Difference(values=weight)),), bias=learnt)

    def _pairs(self, learnt: list[list[Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        for before, now in zip(self._before.values(), learnt, strict=True):
            yield from zip(before, now, strict=True)

    @torch.no_grad()
    def _put(self, values: list[Tensor]) -> None:
        parameters = (parameter for layer in self._layers.values() for parameter in layer.parameters())
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)
