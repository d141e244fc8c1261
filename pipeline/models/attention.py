"""The UNet's attention layers: diffusers' weights and arithmetic, the prompt's half done once a request."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

KeysAndValues = tuple[Tensor, Tensor]


class SelfAttention:
    """The forward of one of diffusers' self-attention layers.

    It stands in for `Attention.forward`, which looks up its processor's signature at every call: a tenth of a small
    UNet's step.

    Args:
        layer: diffusers' `Attention`, whose weights stay where they are.

    In the rows that are `perturbed` every position attends to itself alone.
    """

    perturbed: tuple[int, ...] = ()

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def __call__(self, hidden_states: Tensor, **_: object) -> Tensor:
        """As `Attention.forward`.

        Args:
            hidden_states: (rows, positions, channels).

        Returns:
            The layer's output, of the same shape.
        """
        return self._attend(hidden_states, self.keys_and_values(hidden_states))

    def keys_and_values(self, states: Tensor) -> KeysAndValues:
        """What the layer's queries are compared with.

        Args:
            states: (rows, tokens, width).

        Returns:
            Keys and values, (rows, heads, tokens, width of a head) each.
        """
        return self._heads(self._layer.to_k(states)), self._heads(self._layer.to_v(states))

    def _attend(self, hidden_states: Tensor, source: KeysAndValues) -> Tensor:
        queries = self._heads(self._layer.to_q(hidden_states))
        attended = functional.scaled_dot_product_attention(queries, *source)
        for row in self.perturbed:
            attended[row] = source[1][row]
        output: Tensor = self._layer.to_out[0](attended.transpose(1, 2).flatten(2))
        return output

    def _heads(self, tensor: Tensor) -> Tensor:
        rows, length, _ = tensor.shape
        return tensor.view(rows, length, self._layer.heads, -1).transpose(1, 2)


class PromptAttention(SelfAttention):
    """The forward of a cross-attention layer.

    A prompt does not change from step to step, so neither do its keys and values: they are `prepared`.
    """

    prepared: KeysAndValues | None = None

    def __call__(self, hidden_states: Tensor, **_: object) -> Tensor:
        """As `Attention.forward`, for the prompts that were prepared.

        Args:
            hidden_states: (rows, positions, channels), the rows in the order of `prepared`.

        Returns:
            The layer's output, of the same shape.
        """
        assert self.prepared is not None, "a forward runs inside `prepared_for`"
        return self._attend(hidden_states, self.prepared)


def install(unet: nn.Module) -> tuple[PromptAttention, ...]:
    """Give a UNet's attention layers these forwards.

    Args:
        unet: diffusers' UNet2DConditionModel; it is changed in place.

    Returns:
        The forwards of its cross-attention layers, in the order of the UNet's modules.
    """
    prompt = []
    for name, layer in unet.named_modules():
        if name.endswith(".attn1"):
            layer.forward = SelfAttention(layer)
        elif name.endswith(".attn2"):
            layer.forward = PromptAttention(layer)
            prompt.append(layer.forward)
    return tuple(prompt)


@contextmanager
def prepared_for(layers: Sequence[PromptAttention], prepared: Sequence[KeysAndValues]) -> Iterator[None]:
    """Run the UNet's forward inside this block.

    Args:
        layers: what `install` returned.
        prepared: keys and values of the batch's prompts, for each of the layers.
    """
    for layer, own in zip(layers, prepared, strict=True):
        layer.prepared = own
    try:
        yield
    finally:
        for layer in layers:
            layer.prepared = None
