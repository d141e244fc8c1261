"""The module trained on composed scenes, which is the UNet with both text encoders, and its loss."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from recipes.pocket.architecture import SCALING_FACTOR
from recipes.pocket.canvas import on, paint
from recipes.pocket.composed_batch import ComposedBatch
from recipes.pocket.drawings import Drawings
from recipes.pocket.unet_training import ALPHAS, spread_steps, weights

ECHOES = 2
"""Each image is used at so many noise levels, since composing and encoding it cost as much as the UNet."""


class ConditionedUNet(nn.Module):
    """The UNet and the text encoders, which learn from captions together."""

    def __init__(
        self,
        unet: UNet2DConditionModel,
        text_encoder: CLIPTextModel,
        text_encoder_2: CLIPTextModelWithProjection,
    ) -> None:
        super().__init__()
        self.unet = unet
        self.text_encoder = text_encoder
        self.text_encoder_2 = text_encoder_2

    @classmethod
    def load(cls, folder: Path) -> "ConditionedUNet":
        """The parts in a folder that ships."""
        return cls(
            UNet2DConditionModel.from_pretrained(folder / "unet"),
            CLIPTextModel.from_pretrained(folder / "text_encoder"),
            CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2"),
        )

    def forward(self, noisy: Tensor, steps: Tensor, ids: Tensor, wordless: Tensor, size_numbers: Tensor) -> Tensor:
        """The predicted velocity; the states of rows without words are zeros, as in the pipeline.

        `noisy` may repeat the rows of `ids` several times.
        """
        first = self.text_encoder(ids, output_hidden_states=True).hidden_states[-2]
        second = self.text_encoder_2(ids, output_hidden_states=True)
        has_words = (~wordless).to(noisy.dtype)
        states = torch.cat([first, second.hidden_states[-2]], dim=-1) * has_words[:, None, None]
        pooled = second.text_embeds * has_words[:, None]
        echoes = len(noisy) // len(ids)
        states, pooled, size_numbers = (
            part.repeat(echoes, *[1] * (part.ndim - 1)) for part in (states, pooled, size_numbers)
        )
        velocity: Tensor = self.unet(
            noisy, steps, states, added_cond_kwargs={"text_embeds": pooled, "time_ids": size_numbers}
        ).sample
        return velocity


def denoising_loss(
    model: ConditionedUNet, vae: AutoencoderKL, drawings: Drawings, batch: ComposedBatch, device: torch.device
) -> Tensor:
    """The weighted error of the predicted velocity over the batch, at ECHOES noise levels an image."""
    dtype = vae.dtype
    with torch.no_grad():
        shown = paint(drawings, batch).to(dtype).contiguous(memory_format=torch.channels_last)
        clean = vae.encode(shown).latent_dist.mean.float() * SCALING_FACTOR
    clean = clean.repeat(ECHOES, 1, 1, 1)
    steps = spread_steps(len(clean), torch.default_generator)[torch.randperm(len(clean))]
    alphas = on(device, ALPHAS[steps])[:, None, None, None]
    noise = torch.randn_like(clean)
    noisy = (alphas.sqrt() * clean + (1 - alphas).sqrt() * noise).to(dtype)
    predicted = model(
        noisy.contiguous(memory_format=torch.channels_last),
        on(device, steps),
        *(on(device, part) for part in (batch.ids, batch.wordless, batch.size_numbers)),
    )
    velocity = alphas.sqrt() * noise - (1 - alphas).sqrt() * clean
    errors = (predicted.float() - velocity).square().mean(dim=(1, 2, 3))
    weighted: Tensor = errors * on(device, weights(steps))
    return weighted.mean()
