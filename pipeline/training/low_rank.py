"""LoRA while it is learnt: a trainable low-rank path beside each frozen layer."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.lora.format.parts import LowRank, Magnitude, Part
from pipeline.lora.importing.base_layers import CLIP_WRAPPER
from pipeline.lora.importing.changes import LayerChange
from pipeline.lora.serving.layers import shape_of
from pipeline.training.config import TrainingConfig

_TEXT_LAYERS: Final = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


class LowRankLayer(nn.Module):
    """A frozen Linear or Conv2d plus `up @ down`, times alpha / rank.

    Hu et al., 2021 (LoRA; arXiv 2106.09685); Liu et al., 2024 (DoRA; arXiv 2402.09353), whose norm is not
    differentiated: `gain` is its length of each output's weights.

    Args:
        base: stays as it is, and is called for its output.
        plan: has rank and alpha, and says whether DoRA's gains are learnt.
        generator: on the CPU, of the first values of `down`; `up` begins at 0.
    """

    def __init__(self, base: nn.Linear | nn.Conv2d, plan: TrainingConfig, generator: torch.Generator) -> None:
        super().__init__()
        shape = shape_of(base)
        assert shape is not None, "the caller chose a layer that can be adapted"
        self.base = base
        rank = min(plan.rank, shape.width, shape.outputs)
        self.scale = plan.alpha / plan.rank
        bound = 1 / math.sqrt(shape.width)
        drawn = torch.rand(rank, shape.width, generator=generator) * 2 * bound - bound
        self.down = nn.Parameter(drawn.to(base.weight.device))
        self.up = nn.Parameter(torch.zeros(shape.outputs, rank, device=base.weight.device))
        self.gain = nn.Parameter(_lengths(base.weight.float())) if plan.dora else None
        self.strength = 1.0

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The base's output with `strength` times the change.

        Args:
            input: as the base takes it.

        Returns:
            As the base gives it.
        """
        output: Tensor = self.base(input)
        if not self.strength:
            return output
        change = self._path(input) * self.scale
        if self.gain is not None:
            product = (self.up @ self.down).view(self.base.weight.shape) * self.scale
            stretch = self._as_outputs(self.gain / _lengths((self.base.weight + product).detach()))
            bias = 0.0 if self.base.bias is None else self._as_outputs(self.base.bias)
            change = (output - bias + change) * stretch + bias - output
        return output + (change if self.strength == 1.0 else change * self.strength)

    def change(self) -> LayerChange:
        """What the layer has learnt.

        Returns:
            One part: the halves, with DoRA's norms where it is one.
        """
        down = self.down.detach().double().view(-1, *self.base.weight.shape[1:])
        halves = LowRank(up=self.up.detach().double() * self.scale, down=down)
        magnitude = None if self.gain is None else Magnitude(norms=self.gain.detach())
        return LayerChange(parts=(Part(change=halves, magnitude=magnitude),))

    def _path(self, input: Tensor) -> Tensor:  # noqa: A002  as above
        if isinstance(self.base, nn.Linear):
            return functional.linear(functional.linear(input, self.down), self.up)
        kernel = self.down.view(-1, *self.base.weight.shape[1:])
        hidden = functional.conv2d(input, kernel, stride=self.base.stride, padding=self.base.padding)
        return functional.conv2d(hidden, self.up[:, :, None, None])

    def _as_outputs(self, vector: Tensor) -> Tensor:
        return vector if isinstance(self.base, nn.Linear) else vector[:, None, None]


class LowRankWeights:
    """The LoRA of a plan, in force.

    Args:
        networks: `unet`, and the text encoders that are to learn; layers that learn are replaced in place.
        plan: says which layers learn, and how.
    """

    def __init__(self, networks: Mapping[str, nn.Module], plan: TrainingConfig) -> None:
        generator = torch.Generator().manual_seed(plan.seed)
        self._layers: dict[str, LowRankLayer] = {}
        for network, module in networks.items():
            learns = _unet_learns(plan) if network == "unet" else _text_learns
            for name, layer in list(module.named_modules()):
                if learns(name, layer):
                    self._layers[f"{network}.{name}"] = _replaced(module, name, plan, generator)

    def parameters(self, network: str) -> list[nn.Parameter]:
        """What is trained of one network.

        Args:
            network: one of the names that it was made with.

        Returns:
            The parameters, always in the same order.
        """
        own = [layer for name, layer in self._layers.items() if name.startswith(f"{network}.")]
        return [parameter for layer in own for parameter in layer.parameters() if parameter.requires_grad]

    @contextmanager
    def at(self, strength: float) -> Iterator[None]:
        """Run the model with a part of the change inside this block.

        Args:
            strength: 0 is the untrained model, 1 the trained one.
        """
        self._set(strength)
        try:
            yield
        finally:
            self._set(1.0)

    def changes(self) -> Iterator[tuple[str, LayerChange]]:
        """What was learnt.

        Yields:
            Layers' canonical names, and their changes.
        """
        for name, layer in self._layers.items():
            network, _, path = name.partition(".")
            yield f"{network}.{path.removeprefix(CLIP_WRAPPER)}", layer.change()

    def _set(self, strength: float) -> None:
        for layer in self._layers.values():
            layer.strength = strength


def _unet_learns(plan: TrainingConfig) -> Callable[[str, nn.Module], bool]:
    def learns(name: str, layer: nn.Module) -> bool:
        if isinstance(layer, nn.Linear):
            return ".attentions." in name
        return plan.convolutions and isinstance(layer, nn.Conv2d) and layer.groups == 1

    return learns


def _text_learns(name: str, layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) and name.rpartition(".")[2] in _TEXT_LAYERS


def _replaced(network: nn.Module, name: str, plan: TrainingConfig, generator: torch.Generator) -> LowRankLayer:
    base = network.get_submodule(name)
    assert isinstance(base, nn.Linear | nn.Conv2d), "the caller chose a layer that can be adapted"
    parent, _, own = name.rpartition(".")
    layer = LowRankLayer(base, plan, generator)
    setattr(network.get_submodule(parent), own, layer)
    return layer


def _lengths(weight: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(weight.flatten(1), dim=1)
    return lengths
