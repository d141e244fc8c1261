"""The model that learns: its networks, what they say of images and words, and the weights that change."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.families.registry import FAMILIES
from pipeline.lora.importing.change import Change
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.hardware import Hardware, Placement
from pipeline.models.source import ModelSource
from pipeline.samplers.noise_schedule import NoiseSchedule
from pipeline.text.prompt_encoder import embed_plain
from pipeline.training.config import Method, Preservation, TrainingConfig
from pipeline.training.full_weights import FullWeights
from pipeline.training.low_rank import LowRankWeights


class TrainableWeights(Protocol):
    """What a training changes."""

    def parameters(self, network: str) -> list[nn.Parameter]:
        """What is trained of `network`, always in the same order."""

    def at(self, strength: float) -> AbstractContextManager[None]:
        """The model with so much of the change inside this block: 0 is the untrained one."""

    def changes(self) -> Iterator[tuple[str, Change]]:
        """What was learnt, by the layers' canonical names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptEmbeddings:
    """What the text encoders say of a batch: `states` (rows, tokens, width), `pooled` (rows, width) for SDXL."""

    states: Tensor
    pooled: Tensor

    @classmethod
    def stacked(cls, parts: Sequence["PromptEmbeddings"]) -> "PromptEmbeddings":
        """Several batches as one."""
        return cls(states=torch.cat([one.states for one in parts]), pooled=torch.cat([one.pooled for one in parts]))

    def rows(self, count: int) -> "PromptEmbeddings":
        """One text's words for `count` rows."""
        return PromptEmbeddings(states=self.states.expand(count, -1, -1), pooled=self.pooled.expand(count, -1))


class TrainedModel:
    """One model with the weights of `plan` switched on; raises UserError where it cannot be loaded for training."""

    def __init__(self, plan: TrainingConfig, hardware: Hardware) -> None:
        self.checkpoint = checkpoint = load_checkpoint(ModelSource.parse(plan.model), hardware)
        if checkpoint.home is Placement.HOST:
            name = checkpoint.facts.name
            raise UserError(f"This device has too little memory to train '{name}'; use a smaller model.")
        if plan.method is Method.FULL and plan.preservation is Preservation.OUTPUT:
            raise UserError("Output preservation needs a LoRA; use class images for a full fine-tune.")
        self.hardware = hardware
        self.unet, self.vae = checkpoint.unet, checkpoint.vae
        self.schedule = NoiseSchedule(checkpoint.scheduler_config)
        networks = {"unet": self.unet}
        if plan.text_encoders:
            networks |= {encoder.network: encoder.model for encoder in checkpoint.text_encoders}
        self.weights = _learnt(networks, plan)
        self.networks = tuple(networks)
        self._forgets = plan.text_encoders
        self._remembered: dict[str, PromptEmbeddings] = {}
        if plan.gradient_checkpointing:
            self.unet.enable_gradient_checkpointing()

    def computing(self) -> AbstractContextManager[Any]:
        """In the device's own precision, whatever that of the trained weights."""
        if self.hardware.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.hardware.device.type, self.hardware.dtype)

    def read(self, text: str) -> PromptEmbeddings:
        """What the text encoders say of `text`, one row, with gradients where they are trained."""
        states, pooled = embed_plain(self.checkpoint.facts.family, self.checkpoint.text_encoders, text)
        return PromptEmbeddings(states=states, pooled=pooled)

    def words(self, text: str) -> PromptEmbeddings:
        """As `read`, remembered while the text encoders stay as they are."""
        if self._forgets:
            return self.read(text)
        if text not in self._remembered:
            with torch.no_grad():
                self._remembered[text] = self.read(text)
        return self._remembered[text]

    def unconditional(self) -> PromptEmbeddings:
        """What stands for no prompt."""
        words = self.words("")
        if self.checkpoint.zero_empty_negative:
            return PromptEmbeddings(states=torch.zeros_like(words.states), pooled=torch.zeros_like(words.pooled))
        return words

    def answer(self, noisy: Tensor, steps: Tensor, words: PromptEmbeddings, sizes: Tensor) -> Tensor:
        """What the denoiser says of noisy latents; `sizes` (rows, 6) as SDXL's time ids."""
        reads_them = FAMILIES[self.checkpoint.facts.family].pooled_and_sizes
        added = {"text_embeds": words.pooled, "time_ids": sizes} if reads_them else None
        with self.computing():
            said: Tensor = self.unet(noisy, steps, words.states, added_cond_kwargs=added).sample
        return said.float()

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of an image's latents, (1, 4, height, width) each, scaled; `pixels` is from -1 to 1."""
        seen = self.vae.encode(pixels.to(self.hardware.device, self.vae.dtype)).latent_dist
        factor = self.vae.config.scaling_factor
        return seen.mean.float() * factor, seen.std.float() * factor

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images (rows, 3, height, width) from 0 to 1."""
        painted: Tensor = self.vae.decode((latents / self.vae.config.scaling_factor).to(self.vae.dtype)).sample
        return (painted.float() / 2 + 0.5).clamp(0, 1)


def _learnt(networks: Mapping[str, nn.Module], plan: TrainingConfig) -> TrainableWeights:
    match plan.method:
        case Method.LORA:
            return LowRankWeights(networks, plan)
        case Method.FULL:
            return FullWeights(networks)


def open_model(plan: TrainingConfig, device: str) -> TrainedModel:
    """The model on the device called `device`."""
    return TrainedModel(plan, Hardware.choose(device))
