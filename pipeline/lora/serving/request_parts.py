"""The LoRAs of a request as what its networks run with: in the text encoders, and in the UNet step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.families.family import ModelFamily
from pipeline.lora.format.block_scales import scales_of
from pipeline.lora.serving.adapter_pool import Adapter, ScaledAdapter, needs_own_weights, pages_needed
from pipeline.requests.image_request import ImageRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetParts:
    """A request's LoRAs in the UNet, each with the steps in which it is active."""

    parts: tuple[tuple[ScaledAdapter, range], ...]
    steps: int

    @classmethod
    def of(cls, request: ImageRequest, adapters: Sequence[Adapter], family: ModelFamily) -> "UNetParts":
        """Those of a request.

        Args:
            request: names them.
            adapters: on the device, in its order.
            family: of the model.

        Returns:
            With the scales and windows that it asks for.
        """
        every = range(request.steps_made)
        scales = [scales_of(use, family) for use in request.loras]
        windows = [every if use.window is None else use.window.steps(len(every)) for use in request.loras]
        parts = tuple(
            (ScaledAdapter(adapter=adapter, scale=own.unet, blocks=own.blocks), window)
            for adapter, own, window in zip(adapters, scales, windows, strict=True)
        )
        return cls(parts=parts, steps=len(every))

    def at(self, step: int) -> tuple[ScaledAdapter, ...]:
        """Those that are active.

        Args:
            step: from 0.

        Returns:
            In the request's order.
        """
        return tuple(part for part, window in self.parts if step in window)

    @property
    def pages(self) -> int:
        """The pages that its rows must have room for: as many as any step needs."""
        return max(pages_needed(parts, "unet") for parts in self._sets())

    @property
    def own_weights(self) -> bool:
        """Whether its rows run on their own weights at any step."""
        return any(needs_own_weights(parts, "unet") for parts in self._sets())

    def _sets(self) -> list[tuple[ScaledAdapter, ...]]:
        """What is active together; it changes only where a window begins or ends."""
        changes = {0} | {step for _, window in self.parts for step in (window.start, window.stop)}
        return [self.at(step) for step in sorted(changes) if step < self.steps]


def text_parts(request: ImageRequest, adapters: Sequence[Adapter], family: ModelFamily) -> list[ScaledAdapter]:
    """Those of a request's LoRAs that the text encoders have to do with; texts are read once, whatever the steps.

    Args:
        request: names them.
        adapters: on the device, in its order.
        family: of the model.

    Returns:
        With the text encoders' scales.
    """
    scales = [scales_of(use, family).text for use in request.loras]
    parts = [ScaledAdapter(adapter=adapter, scale=scale) for adapter, scale in zip(adapters, scales, strict=True)]
    return [part for part in parts if part.adapter.words or part.adapter.networks - {"unet"}]
