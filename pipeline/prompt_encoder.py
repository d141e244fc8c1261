"""From words to what the denoiser is conditioned on: the encode stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.image_request import ImageRequest
from pipeline.model_facts import ModelFamily


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """One request's rows, the unconditional one first where there is guidance.

    `states` is (rows, tokens, width); for SDXL `pooled` is (rows, width of the second encoder) and `time_ids` is
    (rows, 6): original height and width, crop top and left, target height and width in pixels. SD 1.5 has neither.
    """

    states: Tensor
    pooled: Tensor | None
    time_ids: Tensor | None

    @property
    def rows(self) -> int:
        """How many rows the request takes in a batch."""
        return int(self.states.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoder:
    """A CLIP tokenizer and its model."""

    tokenizer: Any
    model: Any

    def tokens(self, text: str) -> Tensor:
        """Token ids (1, 77), cut at the end where the text is longer."""
        tokenizer = self.tokenizer
        ids: Tensor = tokenizer(
            text, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
        ).input_ids
        return ids.to(self.model.device)


class PromptEncoder:
    """Conditions requests as diffusers' pipelines do: Podell et al., 2023 (SDXL; arXiv 2307.01952) and SD 1.5.

    Each text is encoded by itself, so that a picture's conditioning never depends on who else is being encoded.
    `zero_empty_negative` is the model's `force_zeros_for_empty_prompt`: no negative prompt means zeros.
    """

    def __init__(self, family: ModelFamily, encoders: Sequence[TextEncoder], *, zero_empty_negative: bool) -> None:
        self._family = family
        self._encoders = encoders
        self._zero_empty_negative = zero_empty_negative

    @torch.inference_mode()
    def encode(self, request: ImageRequest) -> Conditioning:
        """The conditioning of `request`: two rows with guidance, else one."""
        texts = [self._embed(request.prompt)]
        if request.guided:
            texts.insert(0, self._embed_negative(request.negative_prompt, like=texts[0]))
        states = torch.cat([states for states, _ in texts])
        if self._family is ModelFamily.SD15:
            return Conditioning(states=states, pooled=None, time_ids=None)
        size = (request.height, request.width)
        time_ids = torch.tensor([[*size, 0, 0, *size]], dtype=states.dtype, device=states.device)
        pooled = torch.cat([pooled for _, pooled in texts])
        return Conditioning(states=states, pooled=pooled, time_ids=time_ids.repeat(len(texts), 1))

    def _embed_negative(self, text: str, *, like: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        if not text and self._zero_empty_negative:
            states, pooled = like
            return torch.zeros_like(states), torch.zeros_like(pooled)
        return self._embed(text)

    def _embed(self, text: str) -> tuple[Tensor, Tensor]:
        """States (1, 77, width) and the last encoder's pooled output (1, width)."""
        if self._family is ModelFamily.SD15:
            output = self._encoders[0].model(self._encoders[0].tokens(text))
            return output.last_hidden_state, output.pooler_output
        outputs = [encoder.model(encoder.tokens(text), output_hidden_states=True) for encoder in self._encoders]
        # SDXL was trained on the layer before the last of both encoders.
        return torch.cat([output.hidden_states[-2] for output in outputs], dim=-1), outputs[-1].text_embeds
