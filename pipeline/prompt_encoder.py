"""From words to what the denoiser is conditioned on: the encode stage."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from pipeline.adapters import Adapter, AdapterPool, Part, RowStack, pages_needed
from pipeline.image_request import ImageRequest
from pipeline.model_facts import ModelFamily

_REMEMBERED_TEXTS: Final = 128

Embedding = tuple[Tensor, Tensor]


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

    def empty(self, rows: int) -> "Conditioning":
        """Zeros for so many rows, in the same shapes."""
        states, pooled, time_ids = (_zeros(part, rows) for part in (self.states, self.pooled, self.time_ids))
        assert states is not None
        return Conditioning(states=states, pooled=pooled, time_ids=time_ids)

    def write(self, rows: Sequence[int], other: "Conditioning") -> None:
        """Copy the rows of `other` into `rows` of this one."""
        for mine, others in ((self.states, other.states), (self.pooled, other.pooled), (self.time_ids, other.time_ids)):
            if mine is not None and others is not None:
                mine[list(rows)] = others


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoder:
    """A CLIP tokenizer and its model, which runs on `device`; `network` is what LoRA files call it."""

    network: str
    tokenizer: Any
    model: Any
    device: torch.device

    def tokens(self, text: str) -> Tensor:
        """Token ids (1, 77), cut at the end where the text is longer."""
        tokenizer = self.tokenizer
        ids: Tensor = tokenizer(
            text, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
        ).input_ids
        return ids.to(self.device)


class PromptEncoder:
    """Conditions requests as diffusers' pipelines do: Podell et al., 2023 (SDXL; arXiv 2307.01952) and SD 1.5.

    Each text is encoded by itself, so that a picture's conditioning never depends on who else is being encoded; what
    was encoded lately, with the same LoRAs, is remembered. `zero_empty_negative` is the model's
    `force_zeros_for_empty_prompt`: no negative prompt means zeros.
    """

    def __init__(
        self,
        family: ModelFamily,
        encoders: Sequence[TextEncoder],
        adapters: AdapterPool,
        *,
        zero_empty_negative: bool,
    ) -> None:
        self._family = family
        self._encoders = encoders
        self._adapters = adapters
        self._zero_empty_negative = zero_empty_negative
        self._remembered: OrderedDict[tuple[str, object], Embedding] = OrderedDict()

    @torch.inference_mode()
    def encode(self, request: ImageRequest, adapters: Sequence[Adapter]) -> Conditioning:
        """The conditioning of `request`, whose LoRAs are `adapters`: two rows with guidance, else one."""
        scales = [lora.effective_text_encoder_scale for lora in request.loras]
        parts = [Part(adapter=adapter, scale=scale) for adapter, scale in zip(adapters, scales, strict=True)]
        parts = [part for part in parts if any(network != "unet" for network, _ in part.adapter.pages)]
        texts = [self._embed(request.prompt, parts)]
        if request.guided:
            texts.insert(0, self._embed_negative(request.negative_prompt, parts, like=texts[0]))
        states = torch.cat([states for states, _ in texts])
        if self._family is ModelFamily.SD15:
            return Conditioning(states=states, pooled=None, time_ids=None)
        size = (request.height, request.width)
        time_ids = torch.tensor([[*size, 0, 0, *size]], dtype=states.dtype, device=states.device)
        pooled = torch.cat([pooled for _, pooled in texts])
        return Conditioning(states=states, pooled=pooled, time_ids=time_ids.repeat(len(texts), 1))

    def _embed_negative(self, text: str, parts: Sequence[Part], *, like: Embedding) -> Embedding:
        if not text and self._zero_empty_negative:
            states, pooled = like
            return torch.zeros_like(states), torch.zeros_like(pooled)
        return self._embed(text, parts)

    def _embed(self, text: str, parts: Sequence[Part]) -> Embedding:
        """States (1, 77, width) and the last encoder's pooled output (1, width), remembered."""
        key = (text, tuple((part.adapter.key, part.scale) for part in parts))
        if key not in self._remembered:
            with ExitStack() as running:
                for encoder in self._encoders:
                    running.enter_context(self._stack(encoder, parts).applied())
                self._remembered[key] = self._run(text)
            if len(self._remembered) > _REMEMBERED_TEXTS:
                self._remembered.popitem(last=False)
        self._remembered.move_to_end(key)
        return self._remembered[key]

    def _stack(self, encoder: TextEncoder, parts: Sequence[Part]) -> RowStack:
        stack = RowStack(self._adapters, encoder.network, rows=1, pages=pages_needed(parts, encoder.network))
        stack.put([0], parts)
        return stack

    def _run(self, text: str) -> Embedding:
        if self._family is ModelFamily.SD15:
            output = self._encoders[0].model(self._encoders[0].tokens(text))
            return output.last_hidden_state, output.pooler_output
        outputs = [encoder.model(encoder.tokens(text), output_hidden_states=True) for encoder in self._encoders]
        # SDXL was trained on the layer before the last of both encoders.
        return torch.cat([output.hidden_states[-2] for output in outputs], dim=-1), outputs[-1].text_embeds


def _zeros(like: Tensor | None, rows: int) -> Tensor | None:
    return None if like is None else like.new_zeros(rows, *like.shape[1:])
