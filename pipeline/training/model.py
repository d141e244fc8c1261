"""The model that learns: its networks, what they say of images and words, and the weights that change."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.families.registry import FAMILIES
from pipeline.lora.importing.changes import LayerChange
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.hardware import Hardware, Placement
from pipeline.models.source import ModelSource
from pipeline.samplers.edm import is_edm
from pipeline.samplers.noise_schedule import NoiseSchedule
from pipeline.text.prompt_encoder import embed_plain
from pipeline.training.config import Method, Preservation, TrainingConfig
from pipeline.training.full_weights import FullWeights
from pipeline.training.low_rank import LowRankWeights


class TrainableWeights(Protocol):
    """What a training changes."""

    def parameters(self, network: str) -> list[nn.Parameter]:
        """What is trained of one network.

        Args:
            network: one of `TrainedModel.networks`.

        Returns:
            The parameters, always in the same order.
        """

    def at(self, strength: float) -> AbstractContextManager[None]:
        """Run the model with a part of the change inside this block.

        Args:
            strength: 0 is the untrained model, 1 the trained one.

        Returns:
            The block.
        """

    def changes(self) -> Iterator[tuple[str, LayerChange]]:
        """What was learnt.

        Returns:
            Layers' canonical names, and their changes.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptEmbeddings:
    """What the text encoders say of a batch: `states` (rows, tokens, width), `pooled` (rows, width) for SDXL."""

    states: Tensor
    pooled: Tensor

    @classmethod
    def stacked(cls, parts: Sequence["PromptEmbeddings"]) -> "PromptEmbeddings":
        """Several batches as one.

        Args:
            parts: of the same number of tokens.

        Returns:
            Their rows, in their order.
        """
        return cls(states=torch.cat([one.states for one in parts]), pooled=torch.cat([one.pooled for one in parts]))

    def rows(self, count: int) -> "PromptEmbeddings":
        """One text for a whole batch.

        Args:
            count: rows of the batch.

        Returns:
            The one row so many times, without a copy.
        """
        return PromptEmbeddings(states=self.states.expand(count, -1, -1), pooled=self.pooled.expand(count, -1))


class TrainedModel:
    """One model with the weights of a plan switched on.

    Args:
        plan: says what is trained.
        hardware: where it is trained.

    Raises:
        UserError: it cannot be loaded for training, or has too little room there.
    """

    def __init__(self, plan: TrainingConfig, hardware: Hardware) -> None:
        self.checkpoint = checkpoint = load_checkpoint(ModelSource.parse(plan.model), hardware)
        if checkpoint.home is Placement.HOST:
            name = checkpoint.facts.name
            raise UserError(f"This device has too little memory to train '{name}'; use a smaller model.")
        if is_edm(checkpoint.scheduler_config) or checkpoint.guidance_width is not None:
            name = checkpoint.facts.name
            raise UserError(f"Model '{name}' was trained in a way that is not taught here; choose another to train.")
        if plan.method is Method.FULL and plan.preservation is Preservation.OUTPUT:
            raise UserError("Output preservation needs a LoRA; use class images for a full fine-tune.")
        self.hardware = hardware
        self.unet, self.vae = checkpoint.unet, checkpoint.vae
        aligned = FAMILIES[checkpoint.facts.family].aligned_sigmas
        self.schedule = NoiseSchedule(checkpoint.scheduler_config, aligned)
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
        """Compute in the device's own precision inside this block, whatever that of the trained weights.

        Returns:
            The block.
        """
        if self.hardware.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.hardware.device.type, self.hardware.dtype)

    def read(self, text: str) -> PromptEmbeddings:
        """What the text encoders say of a text.

        Args:
            text: without weights.

        Returns:
            One row, with gradients where the text encoders are trained.
        """
        states, pooled = embed_plain(self.checkpoint.facts.family, self.checkpoint.text_encoders, text)
        return PromptEmbeddings(states=states, pooled=pooled)

    def words(self, text: str) -> PromptEmbeddings:
        """As `read`, remembered while the text encoders stay as they are.

        Args:
            text: without weights.

        Returns:
            One row.
        """
        if self._forgets:
            return self.read(text)
        if text not in self._remembered:
            with torch.no_grad():
                self._remembered[text] = self.read(text)
        return self._remembered[text]

    def unconditional(self) -> PromptEmbeddings:
        """What stands for no prompt.

        Returns:
            One row: the empty text's, or zeros where the model wants them.
        """
        words = self.words("")
        if self.checkpoint.zero_empty_negative:
            return PromptEmbeddings(states=torch.zeros_like(words.states), pooled=torch.zeros_like(words.pooled))
        return words

    def answer(self, noisy: Tensor, steps: Tensor, words: PromptEmbeddings, sizes: Tensor) -> Tensor:
        """What the denoiser says.

        Args:
            noisy: latents (rows, 4, height, width).
            steps: each row's timestep, (rows,).
            words: each row's text.
            sizes: SDXL's time ids (rows, 6); other families do not read them.

        Returns:
            Of the shape of `noisy`, in float32.
        """
        reads_them = FAMILIES[self.checkpoint.facts.family].pooled_and_sizes
        added = {"text_embeds": words.pooled, "time_ids": sizes} if reads_them else None
        with self.computing():
            said: Tensor = self.unet(noisy, steps, words.states, added_cond_kwargs=added).sample
        return said.float()

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """An image's latents.

        Args:
            pixels: (1, 3, height, width) from -1 to 1.

        Returns:
            Mean and standard deviation, (1, 4, height, width) in latents each, scaled to unit variance, in float32.
        """
        seen = self.vae.encode(pixels.to(self.hardware.device, self.vae.dtype)).latent_dist
        scale = self.checkpoint.latent_scale
        return scale.normalized(seen.mean.float()), scale.spread(seen.std.float())

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """The images of latents.

        Args:
            latents: (rows, 4, height, width), scaled.

        Returns:
            (rows, 3, height, width) in pixels, from 0 to 1, in float32.
        """
        encoded = self.checkpoint.latent_scale.encoded(latents)
        painted: Tensor = self.vae.decode(encoded.to(self.vae.dtype)).sample
        return (painted.float() / 2 + 0.5).clamp(0, 1)


def _learnt(networks: Mapping[str, nn.Module], plan: TrainingConfig) -> TrainableWeights:
    match plan.method:
        case Method.LORA:
            return LowRankWeights(networks, plan)
        case Method.FULL:
            return FullWeights(networks)


def open_model(plan: TrainingConfig, device: str) -> TrainedModel:
    """Load a model to be trained.

    Args:
        plan: names it.
        device: `auto`, `cpu` or `cuda:<index>`.

    Returns:
        The model, with the plan's weights switched on.
    """
    return TrainedModel(plan, Hardware.choose(device))
