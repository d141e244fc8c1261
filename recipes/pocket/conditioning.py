"""The UNet's conditioning on a caption: SDXL's states, pooled embedding and size numbers, from frozen encoders."""

from dataclasses import dataclass

import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor

from recipes.pocket.architecture import NATIVE_SIZE as SIZE

# Original size, crop corner and target size, as the pipeline itself gives them at the model's own size.
SIZE_NUMBERS = (SIZE, SIZE, 0, 0, SIZE, SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionEmbeddings:
    """The captions of a batch as the UNet takes them."""

    states: Tensor
    pooled: Tensor

    def added(self) -> dict[str, Tensor]:
        """The conditions that go with the time embedding."""
        return {"text_embeds": self.pooled, "time_ids": torch.tensor([SIZE_NUMBERS] * len(self.pooled)).float()}


class CaptionReader:
    """Encodes captions by the pipeline's own encoders and caches each; None is the unconditional one of guidance."""

    def __init__(self, pipe: StableDiffusionXLPipeline) -> None:
        self._pipe = pipe
        self._known: dict[str, tuple[Tensor, Tensor]] = {}

    def read(self, captions: list[str | None]) -> CaptionEmbeddings:
        """The conditioning of a batch; the pipeline gives nothing but zeros where there is no negative prompt."""
        self._learn([caption for caption in {*captions} if caption is not None and caption not in self._known])
        width, pooled = self._pipe.unet.config.cross_attention_dim, self._pipe.text_encoder_2.config.projection_dim
        context = self._pipe.tokenizer.model_max_length
        nothing = (torch.zeros(context, width, dtype=torch.half), torch.zeros(pooled, dtype=torch.half))
        rows = [nothing if caption is None else self._known[caption] for caption in captions]
        states, pooled_rows = zip(*rows, strict=True)
        return CaptionEmbeddings(states=torch.stack(states).float(), pooled=torch.stack(pooled_rows).float())

    @torch.no_grad()
    def _learn(self, captions: list[str]) -> None:
        if captions:
            states, _, pooled, _ = self._pipe.encode_prompt(captions, do_classifier_free_guidance=False)
            for caption, state, summary in zip(captions, states.half(), pooled.half(), strict=True):
                self._known[caption] = (state.clone(), summary.clone())
