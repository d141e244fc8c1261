"""The UNet as one function of tensors, and that function as machine code for fixed sizes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from pipeline.lora.serving.layers import Bank, RowWeights
from pipeline.lora.serving.opaque_layer import OpaqueLayers
from pipeline.models.attention import KeysAndValues, PromptAttention, prepared_for

Halves = tuple[Tensor, Tensor]
Graph = Callable[..., Sequence[Tensor]]

# What nearly all LoRAs change; a graph with room for changes everywhere would pay for them in every image.
_CHANGED: Final = ".attentions."


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardInputs:
    """All that the UNet's forward reads except its weights.

    `tensors` are `latents`, `timesteps` and, where the model has them, `pooled`, `time_ids` and `guidance`; `prepared`
    are the prompt's keys and values by layer; `rows` are the LoRAs' halves by bank, in the order of `Forward.changed`,
    empty without LoRAs and with `own_weights`: then layers run request by request, as operators that look up what they
    need.
    """

    tensors: dict[str, Tensor]
    prepared: list[KeysAndValues]
    rows: list[Halves]
    own_weights: bool = False

    @property
    def arguments(self) -> tuple[dict[str, Tensor], list[KeysAndValues], list[Halves]]:
        """As `Forward` takes them."""
        return self.tensors, self.prepared, self.rows

    def flat(self) -> list[Tensor]:
        """As a graph takes them.

        Returns:
            All tensors in one list.
        """
        return pytree.tree_leaves(self.arguments)

    def each(self, change: Callable[[Tensor], Tensor]) -> "ForwardInputs":
        """The same structure of other tensors.

        Args:
            change: gives the new tensor for each.

        Returns:
            With every tensor changed.
        """
        tensors, prepared, rows = pytree.tree_map(change, self.arguments)
        return ForwardInputs(tensors=tensors, prepared=prepared, rows=rows, own_weights=self.own_weights)


class Forward(nn.Module):
    """The UNet as a function of tensors alone.

    With LoRAs, every layer of `changed` (places by bank) has an update, if only of zeros: whether a row has a LoRA is
    then a matter of numbers and not of code.

    Args:
        unet: the denoiser.
        banks: its layers that LoRAs change.
        attention: its cross-attention layers.

    `own_weights` says that layers run request by request.
    """

    def __init__(self, unet: nn.Module, banks: Sequence[Bank], attention: Sequence[PromptAttention]) -> None:
        super().__init__()
        self.unet = unet
        self.own_weights = False
        self._banks = banks
        self._attention = attention
        places = {number: _changed_places(bank) for number, bank in enumerate(banks)}
        self.changed: Mapping[int, frozenset[int]] = {number: own for number, own in places.items() if own}

    def halves(self, rows: int, rank: int, dtype: torch.dtype) -> list[Halves]:
        """The sizes of all updates of a batch.

        Args:
            rows: of the batch.
            rank: of all LoRAs of a row together.
            dtype: of the weights.

        Returns:
            (down, up) of each changed bank, on the meta device.
        """
        made = []
        for bank in (self._banks[number] for number in self.changed):
            lead, shape = (len(bank.names), rows), bank.shape
            down = torch.empty(*lead, shape.width, rank, dtype=dtype, device="meta")
            made.append((down, torch.empty(*lead, rank, shape.outputs, dtype=dtype, device="meta")))
        return made

    def run(self, inputs: ForwardInputs) -> Tensor:
        """One call of the UNet, eagerly.

        Args:
            inputs: of any sizes.

        Returns:
            The prediction, (rows, channels, height, width).
        """
        self.own_weights = inputs.own_weights
        prediction: Tensor = self(*inputs.arguments)
        return prediction

    def forward(self, tensors: dict[str, Tensor], prepared: list[KeysAndValues], rows: list[Halves]) -> Tensor:
        """One call of the UNet.

        Args:
            tensors: as in ForwardInputs.
            prepared: as in ForwardInputs.
            rows: as in ForwardInputs.

        Returns:
            The prediction, (rows, channels, height, width).
        """
        banks = [self._banks[number] for number in self.changed] if rows else []
        for bank, (down, up), places in zip(banks, rows, self.changed.values(), strict=False):
            bank.rows = RowWeights(down=down, up=up, used=set(places))
        for bank in self._banks if self.own_weights else ():
            bank.own = OpaqueLayers()
        try:
            with prepared_for(self._attention, prepared):
                prediction: Tensor = self.unet(
                    tensors["latents"],
                    tensors["timesteps"],
                    timestep_cond=tensors.get("guidance"),
                    encoder_hidden_states=None,
                    added_cond_kwargs={"text_embeds": tensors.get("pooled"), "time_ids": tensors.get("time_ids")},
                    return_dict=False,
                )[0]
                return prediction
        finally:
            for bank in self._banks:
                bank.rows = bank.own = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledForward:
    """A graph with the weights that it runs on; `packages` are those that decide how it rounds, besides torch."""

    graph: Graph
    weights: tuple[Tensor, ...]
    packages: tuple[str, ...] = ()

    def __call__(self, inputs: ForwardInputs) -> Tensor:
        """One call of the UNet.

        Args:
            inputs: of exactly the sizes that it was compiled for.

        Returns:
            The prediction, (rows, channels, height, width).
        """
        return self.graph(*self.weights, *inputs.flat())[0]


def _changed_places(bank: Bank) -> frozenset[int]:
    return frozenset(place for place, name in enumerate(bank.names) if _CHANGED in name)
