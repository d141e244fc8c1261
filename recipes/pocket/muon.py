"""The Muon optimizer (Jordan et al., 2024): momentum whose matrices are made orthogonal before they are applied."""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

# The quintic iteration that drives every singular value towards one.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
# Brings the size of an update to that of Adam's, so that both share one learning rate.
_ADAM_RMS = 0.2


class Muon(torch.optim.Optimizer):
    """Steps of orthogonal momentum for matrices; a convolution counts as one, its inputs flattened."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], *, rate: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": rate, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # it takes no closure
        """Applies one update from the gradients."""
        assert closure is None
        for group in self.param_groups:
            for parameters in _by_shape(group["params"]):
                updates = torch.stack([self._momentum(parameter, group["momentum"]) for parameter in parameters])
                scale = group["lr"] * _ADAM_RMS * max(updates.shape[-2:]) ** 0.5
                for parameter, update in zip(parameters, orthogonal(updates), strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update.view(parameter.shape), alpha=-scale)

    def _momentum(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        assert parameter.grad is not None
        gradient = parameter.grad.reshape(len(parameter), -1)
        buffer = self.state[parameter].setdefault("momentum", torch.zeros_like(gradient))
        buffer.lerp_(gradient, 1 - momentum)
        return gradient.lerp(buffer, momentum)


def _by_shape(parameters: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    groups = defaultdict(list)
    for parameter in parameters:
        if parameter.grad is not None:
            groups[parameter.shape].append(parameter)
    return list(groups.values())


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest matrices, roughly, whose singular values are all one (Newton and Schulz's iteration)."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x: Tensor = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    # Each iteration multiplies by a polynomial of x times its transpose: iterating on that product alone is cheaper.
    gram = x @ x.mT
    unit = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    product = unit
    for _ in range(_ITERATIONS):
        factor = a * unit + b * gram + c * gram @ gram
        product = factor @ product
        gram = factor @ gram @ factor
    x = product @ x
    return x.mT if tall else x
