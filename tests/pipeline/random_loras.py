"""Random LoRAs for a model, as canonical files and as diffusers takes them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import StableDiffusionMixin
from torch import Tensor, nn

from pipeline.families.family import ModelFamily
from pipeline.lora.format.parts import LowRank, Part
from pipeline.lora.format.writer import CanonicalWriter

# Large enough to change an image, small enough to keep a random network's numbers in range.
STRENGTH = 0.1


@dataclass(frozen=True, kw_only=True)
class RandomLora:
    """Layer names as in a canonical file, each with its two halves."""

    key: str
    layers: dict[str, tuple[Tensor, Tensor]]

    def save(self, folder: Path, family: str = "sdxl") -> None:
        writer = CanonicalWriter(ModelFamily(family))
        for name, (down, up) in self.layers.items():
            writer.add(name, Part(change=LowRank(down=down, up=up)))
        writer.save(folder / f"{self.key}.safetensors")

    @contextmanager
    def fused(self, pipeline: StableDiffusionMixin) -> Iterator[None]:
        """The pipeline with this LoRA added to its weights inside the block."""
        pristine = {}
        for name, (down, up) in self.layers.items():
            network, _, path = name.partition(".")
            module = getattr(pipeline, network)
            weights = dict(module.named_parameters())
            own = weights.get(f"{path}.weight", weights.get(f"text_model.{path}.weight"))
            assert own is not None
            pristine[own] = own.data
            own.data = own.data + (up.double() @ down.double().flatten(1)).view(own.shape).float()
        yield
        for own, before in pristine.items():
            own.data = before

    def for_diffusers(self) -> dict[str, Tensor]:
        state = {}
        for name, (down, up) in self.layers.items():
            network, _, layer = name.partition(".")
            if network != "unet" and not layer.startswith("text_projection"):
                layer = f"text_model.{layer}"
            state[f"{network}.{layer}.lora_A.weight"] = down
            state[f"{network}.{layer}.lora_B.weight"] = up[:, :, None, None] if down.ndim == 4 else up
        return state


def combined(parts: Sequence[tuple[RandomLora, float]]) -> RandomLora:
    """One LoRA that does what `parts` do together, each at its scale: a sum of products is a product of stacks."""
    halves: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for lora, scale in parts:
        for name, (down, up) in lora.layers.items():
            halves.setdefault(name, []).append((down, up * scale))
    layers = {
        name: (torch.cat([down for down, _ in own]), torch.cat([up for _, up in own], dim=1))
        for name, own in halves.items()
    }
    return RandomLora(key="combined", layers=layers)


def random_lora(
    pipeline: StableDiffusionMixin, key: str, *, rank: int, wanted: Callable[[str], bool], seed: int
) -> RandomLora:
    """A LoRA of `rank` for every layer of the pipeline's networks whose canonical name is `wanted`."""
    generator = torch.Generator().manual_seed(seed)
    layers = {}
    for network in ("unet", "text_encoder", "text_encoder_2"):
        for path, layer in getattr(pipeline, network, nn.Module()).named_modules():
            name = f"{network}.{path.removeprefix('text_model.')}"
            if isinstance(layer, nn.Linear | nn.Conv2d) and wanted(name):
                layers[name] = _halves(layer, rank, generator)
    return RandomLora(key=key, layers=layers)


def _halves(layer: nn.Linear | nn.Conv2d, rank: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    down = torch.randn(rank, *layer.weight.shape[1:], generator=generator) / layer.weight[0].numel() ** 0.5
    up = torch.randn(layer.weight.shape[0], rank, generator=generator) * STRENGTH / rank**0.5
    return down, up
