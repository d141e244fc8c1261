"""Cross-attention to a prompt whose keys and values were computed when its request joined the batch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

KeysAndValues = tuple[Tensor, Tensor]


class PromptAttention:
    """Diffusers' attention processor for one cross-attention layer of a UNet, with the text's half done beforehand.

    A prompt does not change from step to step, so neither do its keys and values, (rows, heads, tokens, width) each.
    """

    def __init__(self, attention: Any) -> None:
        self._attention = attention
        self.prepared: KeysAndValues | None = None

    def prepare(self, states: Tensor) -> KeysAndValues:
        """The keys and values of `states` (rows, tokens, width of the text)."""
        return self._heads(self._attention.to_k(states)), self._heads(self._attention.to_v(states))

    def __call__(self, attention: Any, hidden_states: Tensor, *_: object, **__: object) -> Tensor:
        """What diffusers' own processor returns for these hidden states (rows, positions, channels)."""
        assert self.prepared is not None, "a forward runs inside `prepared_for`"
        keys, values = self.prepared
        attended = functional.scaled_dot_product_attention(self._heads(attention.to_q(hidden_states)), keys, values)
        output: Tensor = attention.to_out[0](attended.transpose(1, 2).flatten(2))
        return output

    def _heads(self, tensor: Tensor) -> Tensor:
        rows, length, _ = tensor.shape
        return tensor.view(rows, length, self._attention.heads, -1).transpose(1, 2)


def install(unet: nn.Module) -> tuple[PromptAttention, ...]:
    """Give every cross-attention layer of `unet` such a processor; returns them in a fixed order."""
    processors = []
    for name, module in unet.named_modules():
        if name.endswith(".attn2"):
            processor = PromptAttention(module)
            module.set_processor(processor)
            processors.append(processor)
    return tuple(processors)


@contextmanager
def prepared_for(processors: Sequence[PromptAttention], prepared: Sequence[KeysAndValues]) -> Iterator[None]:
    """Run the UNet's forward inside this block."""
    for processor, own in zip(processors, prepared, strict=True):
        processor.prepared = own
    try:
        yield
    finally:
        for processor in processors:
            processor.prepared = None
