"""From words to what the denoiser is conditioned on: the encode stage."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from pipeline.errors import InvalidRequest
from pipeline.families.family import Family, ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.lora.serving.adapter_pool import (
    Adapter,
    AdapterPool,
    ScaledAdapter,
    needs_own_weights,
    pages_needed,
)
from pipeline.lora.serving.request_parts import text_parts
from pipeline.lora.serving.row_stack import RowStack
from pipeline.models.text_encoder import TextEncoder
from pipeline.models.textual_inversion import TextualInversion
from pipeline.requests.image_request import ImageRequest
from pipeline.text.conditioning import Conditioning
from pipeline.text.guidance_embedding import guidance_embedding
from pipeline.text.prompt_length import check_windows, texts_of
from pipeline.text.prompt_schedule import texts_by_step
from pipeline.text.prompt_weights import is_plain, plain_text, read_weights
from pipeline.text.weighted_prompt import WeightedText
from pipeline.transfer import to_device

_REMEMBERED_TEXTS: Final = 128

Embedding = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """How a request's texts are read: by the text encoders as it wants them, with its LoRAs."""

    encoders: tuple[TextEncoder, ...]
    parts: tuple[ScaledAdapter, ...]

    @property
    def key(self) -> object:
        return (self.encoders[0].skipped, *((part.adapter.key, part.scale) for part in self.parts))

    @property
    def window(self) -> int:
        return int(self.encoders[0].tokenizer.model_max_length)


class PromptEncoder:
    """Conditions requests as diffusers' pipelines do: Podell et al., 2023 (SDXL; arXiv 2307.01952) and SD 1.5.

    Each text is encoded by itself, so that an image's conditioning never depends on who else is being encoded; what was
    encoded lately, with the same LoRAs and layers, is remembered. Weighted and long texts go through compel; where a
    request's texts take different numbers of windows, the empty text fills the shorter ones up.

    Args:
        family: of the model.
        encoders: the model's text encoders, in the family's order.
        adapters: has room for the LoRAs of the text encoders.
        zero_empty_negative: the model's `force_zeros_for_empty_prompt`: no negative prompt means zeros.
        guidance_width: how many numbers tell the denoiser of guidance; None where it takes a second row.
    """

    def __init__(
        self,
        family: ModelFamily,
        encoders: Sequence[TextEncoder],
        adapters: AdapterPool,
        *,
        zero_empty_negative: bool,
        guidance_width: int | None = None,
    ) -> None:
        self._family, self._key = FAMILIES[family], family
        self._encoders = encoders
        self._adapters = adapters
        self._zero_empty_negative = zero_empty_negative
        self._guidance_width = guidance_width
        self._remembered: OrderedDict[tuple[str, object], Embedding] = OrderedDict()

    def guided(self, request: ImageRequest) -> bool:
        """Whether a request takes a second, unconditional row.

        Args:
            request: its guidance counts.

        Returns:
            False also where the denoiser is told of the guidance instead.
        """
        return request.guided and self._guidance_width is None

    def windows(self, request: ImageRequest, adapters: Sequence[Adapter] = ()) -> int:
        """How many windows of 77 tokens each of a request's rows takes.

        Args:
            request: its prompt counts, and with guidance its negative prompt, each as it is at any step.
            adapters: its LoRAs; before they are here, what they teach counts as the words that it is written with.

        Returns:
            The most that any of the texts takes in any of the encoders, from 1.

        Raises:
            InvalidRequest: a text takes more than MAX_WINDOWS, or has a weight that is none, or there are too many.
        """
        words = _words(text_parts(request, adapters, self._key)) if adapters else ()
        return max(
            self._windows(encoder, encoder.inverted(text, words).text, field)
            for field, texts in texts_of(request, guided=self.guided(request)).items()
            for text in texts
            for encoder in self._encoders
        )

    @torch.inference_mode()
    def encode(self, request: ImageRequest, adapters: Sequence[Adapter], step: int = 0) -> Conditioning:
        """What the denoiser is conditioned on in one step.

        Args:
            request: its texts, size and guidance count.
            adapters: its LoRAs, in its order.
            step: from 0, of those that are made.

        Returns:
            Its rows: of the negative prompt where there is guidance, of the prompt, and of that again where attention
            is perturbed. All have as many windows as `windows` says.

        Raises:
            InvalidRequest: the text encoders have fewer layers than it wants to skip.
        """
        reader = self._reader(request, adapters)
        windows = self.windows(request, adapters)
        prompt, negative = texts_by_step(request)[step]
        texts = [self._embed_filled(prompt, reader, windows)]
        if self.guided(request):
            texts.insert(0, self._embed_negative(negative, reader, like=texts[0]))
        if request.perturbed:
            texts.append(texts[-1])
        states = torch.cat([states for states, _ in texts])
        guidance = None
        if self._guidance_width is not None:
            scale = request.guidance_at(step) if request.guided else request.guidance_scale
            embedding = guidance_embedding(scale, self._guidance_width).expand(len(texts), -1)
            guidance = to_device(embedding, states.device, states.dtype)
        if not self._family.pooled_and_sizes:
            return Conditioning(states=states, pooled=None, time_ids=None, guidance=guidance)
        size = (request.height, request.width)
        time_ids = to_device(torch.tensor([[*size, 0, 0, *size]], dtype=states.dtype), states.device)
        pooled = torch.cat([pooled for _, pooled in texts])
        return Conditioning(states=states, pooled=pooled, time_ids=time_ids.repeat(len(texts), 1), guidance=guidance)

    def encode_steps(self, request: ImageRequest, adapters: Sequence[Adapter]) -> tuple[Conditioning, ...]:
        """What the denoiser is conditioned on, step by step.

        Args:
            request: as for `encode`.
            adapters: as for `encode`.

        Returns:
            One for each step that is made: the same object where nothing changes.

        Raises:
            InvalidRequest: as `encode`.
        """
        texts = texts_by_step(request)
        told = [self._guidance_width is not None and request.guidance_at(step) for step in range(len(texts))]
        steps = list(zip(texts, told, strict=True))
        known = {own: self.encode(request, adapters, steps.index(own)) for own in dict.fromkeys(steps)}
        return tuple(known[own] for own in steps)

    def _reader(self, request: ImageRequest, adapters: Sequence[Adapter]) -> _Reader:
        layers = min(encoder.layers for encoder in self._encoders)
        if request.clip_skip > layers:
            raise InvalidRequest(
                "clip skip",
                f"clip skip is {request.clip_skip}, but this model's text encoder has {layers} layers; "
                f"use 1 to {layers}.",
            )
        usual = 2 if self._family.penultimate_states else 1
        skipped = max(request.clip_skip, usual) - usual
        encoders = tuple(replace(encoder, skipped=skipped) for encoder in self._encoders)
        return _Reader(encoders=encoders, parts=tuple(text_parts(request, adapters, self._key)))

    def _embed_negative(self, text: str, reader: _Reader, *, like: Embedding) -> Embedding:
        if not text and self._zero_empty_negative:
            states, pooled = like
            return torch.zeros_like(states), torch.zeros_like(pooled)
        return self._embed_filled(text, reader, windows=like[0].shape[1] // reader.window)

    def _embed_filled(self, text: str, reader: _Reader, windows: int) -> Embedding:
        """As `_embed`, filled up with the empty text to so many windows."""
        states, pooled = self._embed(text, reader)
        missing = windows - states.shape[1] // reader.window
        if missing < 0:
            # A batch's rows are of one length: one that is longer than it was counted would spoil those beside it.
            raise ValueError(f"a text of {windows} windows was encoded into {windows - missing}")
        if not missing:
            return states, pooled
        return torch.cat([states, *[self._embed("", reader)[0]] * missing], dim=1), pooled

    def _embed(self, text: str, reader: _Reader) -> Embedding:
        """States (1, windows times 77, width) and the last encoder's pooled output (1, width), remembered."""
        key = (text, reader.key)
        if key not in self._remembered:
            texts = [encoder.inverted(text, _words(reader.parts)) for encoder in reader.encoders]
            with ExitStack() as running:
                for encoder, own in zip(reader.encoders, texts, strict=True):
                    stack = self._stack(encoder, reader.parts)
                    running.callback(stack.clear, [0])
                    running.enter_context(stack.applied())
                    running.enter_context(encoder.knowing(own))
                self._remembered[key] = self._run([own.text for own in texts], reader.encoders)
            if len(self._remembered) > _REMEMBERED_TEXTS:
                self._remembered.popitem(last=False)
        self._remembered.move_to_end(key)
        return self._remembered[key]

    def _stack(self, encoder: TextEncoder, parts: Sequence[ScaledAdapter]) -> RowStack:
        network = encoder.network
        own = needs_own_weights(parts, network)
        stack = RowStack(self._adapters, network, rows=1, pages=pages_needed(parts, network), own=own)
        stack.put([0], parts)
        return stack

    def _run(self, texts: Sequence[str], encoders: Sequence[TextEncoder]) -> Embedding:
        """Texts, one an encoder: plain ones that fit go straight through, as in diffusers; so does what is pooled."""
        fragments = [read_weights(text) for text in texts]
        words = [plain_text(own) for own in fragments]
        states, pooled = _embed_each(self._family, encoders, words)
        fit = all(encoder.has_room_for(own) for encoder, own in zip(encoders, words, strict=True))
        if fit and all(map(is_plain, fragments)):
            return states, pooled
        penultimate = self._family.penultimate_states
        pairs = zip(encoders, fragments, strict=True)
        each = [WeightedText(*pair, penultimate=penultimate).states() for pair in pairs]
        return _levelled(each, encoders), pooled

    def _windows(self, encoder: TextEncoder, text: str, field: str) -> int:
        fragments = read_weights(text, field)
        if encoder.has_room_for(plain_text(fragments)) and is_plain(fragments):
            return 1
        windows = WeightedText(encoder, fragments, penultimate=False).windows()
        check_windows(windows, field)
        return windows


def embed_plain(family: ModelFamily, encoders: Sequence[TextEncoder], text: str) -> Embedding:
    """What a model reads of a text without weights.

    Args:
        family: of the model.
        encoders: the model's text encoders, in the family's order.
        text: is cut where it is longer than a window.

    Returns:
        States (1, 77, width of all encoders) and the last encoder's pooled output (1, width).
    """
    return _embed_each(FAMILIES[family], encoders, [text] * len(encoders))


def _embed_each(family: Family, encoders: Sequence[TextEncoder], texts: Sequence[str]) -> Embedding:
    """As `embed_plain`, of a text for each encoder."""
    if not family.penultimate_states:
        output = encoders[0].run(encoders[0].tokens(texts[0]))
        return output.last_hidden_state, output.pooler_output
    pairs = zip(encoders, texts, strict=True)
    outputs = [encoder.run(encoder.tokens(text), output_hidden_states=True) for encoder, text in pairs]
    return torch.cat([output.hidden_states[-2] for output in outputs], dim=-1), outputs[-1].text_embeds


def _levelled(states: Sequence[Tensor], encoders: Sequence[TextEncoder]) -> Tensor:
    """The encoders' states side by side; a word that some were not taught may leave them different windows."""
    longest = max(own.shape[1] for own in states)
    filled = []
    for encoder, own in zip(encoders, states, strict=True):
        missing = (longest - own.shape[1]) // int(encoder.tokenizer.model_max_length)
        empty = [encoder.run(encoder.tokens(""), output_hidden_states=True).hidden_states[-2]] if missing else []
        filled.append(torch.cat([own, *empty * missing], dim=1))
    return torch.cat(filled, dim=-1)


def _words(parts: Sequence[ScaledAdapter]) -> tuple[TextualInversion, ...]:
    """What a LoRA at scale 0 teaches is not there, as nothing of it is."""
    return tuple(word for part in parts if part.scale for word in part.adapter.words)
