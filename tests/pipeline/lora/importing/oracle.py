"""LyCORIS as the judge: its modules' own hooked forward, in float64, on single layers.

Never its `merge_to`, which applies alpha twice for LoHa and LoKr.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from lycoris.modules.base import LycorisBaseModule
from lycoris.modules.boft import ButterflyOFTModule
from lycoris.modules.diag_oft import DiagOFTModule
from lycoris.modules.dylora import DyLoraModule
from lycoris.modules.full import FullModule
from lycoris.modules.glora import GLoRAModule
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from torch import Tensor, nn

MODULES: dict[str, type[LycorisBaseModule]] = {
    "lora": LoConModule,
    "loha": LohaModule,
    "lokr": LokrModule,
    "ia3": IA3Module,
    "glora": GLoRAModule,
    "diag-oft": DiagOFTModule,
    "boft": ButterflyOFTModule,
    "full": FullModule,
    "norm": NormModule,
    "dylora": DyLoraModule,
}
Layer = nn.Linear | nn.Conv2d | nn.LayerNorm | nn.GroupNorm
# Far enough from where training starts to tell right from wrong, near enough for OFT's rotations to be usual ones.
STRENGTH = 0.1


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What LyCORIS writes for one layer (float64), and what its forward then adds to the weight and to the bias."""

    tensors: dict[str, Tensor]
    weight: Tensor
    bias: Tensor | None


def judge(algorithm: str, layer: Layer, *, seed: int, dtype: torch.dtype = torch.float64, **options: Any) -> Judged:
    """A module of `algorithm` with random weights that `dtype` can hold, over a `bare` layer, which stays as it was."""
    generator = torch.Generator().manual_seed(seed)
    module = MODULES[algorithm]("layer", layer, **options).double().eval()
    with torch.no_grad(), _double_inverses():
        before = _effective(layer.forward, layer)
        module.apply_to()
        for name, parameter in module.named_parameters():
            noise = (
                (STRENGTH * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)).to(dtype).double()
            )
            if name == "dora_scale":
                parameter.copy_((parameter * (1 + noise)).to(dtype))
            elif algorithm == "full":  # it has taken the layer's own weight in, and saves what is more than that
                parameter.add_(noise)
            else:
                parameter.copy_(noise)
        tensors = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        after = _effective(layer.forward, layer)
        module.restore()
    bias = after[1] - before[1]
    return Judged(tensors=tensors, weight=after[0] - before[0], bias=bias if bool(bias.abs().max() > 1e-9) else None)


def hooked(
    algorithm: str,
    layer: Layer,
    inputs: Tensor,
    *,
    scale: float = 1.0,
    tensors: Mapping[str, Tensor] | None = None,
    **options: Any,
) -> tuple[dict[str, Tensor], Tensor]:
    """What a module writes for one `bare` layer, and what it adds to the layer's output at `scale`.

    With `tensors` it has those; else random ones that float32 can hold.
    """
    generator = torch.Generator().manual_seed(1)
    module = MODULES[algorithm]("layer", layer, multiplier=scale, **options).double().eval()
    with torch.no_grad(), _double_inverses():
        before = layer(inputs)
        module.apply_to()
        if tensors is not None:
            module.load_state_dict(dict(tensors))
        for name, parameter in module.named_parameters() if tensors is None else ():
            noise = (STRENGTH * torch.randn(parameter.shape, generator=generator, dtype=torch.float32)).double()
            around_one = name == "dora_scale" or "rescale" in name
            parameter.copy_((parameter * (1 + noise)).to(torch.float32) if around_one else noise)
        own = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        after = layer(inputs)
        module.restore()
    layer.__dict__.pop("forward", None)
    return own, after - before


@contextmanager
def _double_inverses() -> Iterator[None]:
    """OFT and BOFT invert in float32 (`.float().inverse()`) and blend with a float32 identity; let both be in float64,
    or they were too coarse to be judged by.
    """
    single, usual = Tensor.float, torch.get_default_dtype()
    Tensor.float = Tensor.double  # type: ignore[method-assign]  # for the block alone
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        Tensor.float = single  # type: ignore[method-assign]  # as above
        torch.set_default_dtype(usual)


def _effective(forward: Any, layer: Layer) -> tuple[Tensor, Tensor]:
    """The weight and bias that `forward` has, read off what it does to unit vectors and to zero."""
    match layer:
        case nn.Linear():
            zero = torch.zeros(1, layer.in_features, dtype=torch.float64)
            units = torch.eye(layer.in_features, dtype=torch.float64)
            shape: tuple[int, ...] = (layer.out_features, layer.in_features)
        case nn.Conv2d():
            window = (layer.in_channels, *layer.kernel_size)
            zero = torch.zeros(1, *window, dtype=torch.float64)
            units = torch.eye(prod(window), dtype=torch.float64).view(-1, *window)
            shape = (layer.out_channels, *window)
        case nn.LayerNorm() | nn.GroupNorm():
            return _effective_norm(forward, layer)
    bias = forward(zero).flatten()
    return (forward(units).flatten(1) - bias).T.reshape(shape), bias


def _effective_norm(forward: Any, layer: nn.LayerNorm | nn.GroupNorm) -> tuple[Tensor, Tensor]:
    """A norm's output is linear in its weight once its input is fixed: two inputs of opposite sign tell both."""
    channels = layer.weight.numel()
    width: tuple[int, ...] = () if isinstance(layer, nn.LayerNorm) else (2, 2)
    some = torch.randn(1, channels, *width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    plain = (
        nn.functional.layer_norm(some, (channels,), eps=layer.eps)
        if isinstance(layer, nn.LayerNorm)
        else nn.functional.group_norm(some, layer.num_groups, eps=layer.eps)
    )
    up, down = forward(some), forward(-some)
    where = (0, slice(None), *(0 for _ in width))
    return ((up - down) / (2 * plain))[where], ((up + down) / 2)[where]


def bare(layer: nn.Module) -> Layer:
    """A float64 copy of `layer` with a random weight, and a convolution's padding and stride taken away."""
    match layer:
        case nn.Conv2d():
            height, width = layer.kernel_size
            made: Layer = nn.Conv2d(layer.in_channels, layer.out_channels, (height, width), bias=layer.bias is not None)
        case nn.Linear():
            made = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
        case nn.LayerNorm():
            made = nn.LayerNorm(layer.normalized_shape)
        case nn.GroupNorm():
            made = nn.GroupNorm(layer.num_groups, layer.num_channels)
        case _:
            raise TypeError(f"LyCORIS changes no {type(layer).__name__}")
    made = made.double()
    made.load_state_dict({name: tensor.double() for name, tensor in layer.state_dict().items()})
    return made
