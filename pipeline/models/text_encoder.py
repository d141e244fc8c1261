"""A CLIP tokenizer and its model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

from pipeline.models.textual_inversion import InvertedText, TextualInversion, WordTable

CLIP_CLASSES: Final = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
"""What transformers makes of each text encoder's config, by diffusers' names of the parts."""


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

    def inverted(self, text: str, words: Sequence[TextualInversion]) -> InvertedText:
        """`text` as this encoder reads it; what it was not taught stays the words that it is written with."""
        return InvertedText(text, [word for word in words if self.network in word.vectors])

    def has_room_for(self, text: str) -> bool:
        """Whether `tokens` would cut nothing off."""
        return len(self.tokenizer(text, verbose=False).input_ids) <= int(self.tokenizer.model_max_length)

    def run(self, ids: Tensor, *inputs: Any, **options: Any) -> Any:
        """The model's output for the tokenizer's ids (rows, 77)."""
        table = self.model.get_input_embeddings()
        return self.model(table.below_zero(ids) if isinstance(table, WordTable) else ids, *inputs, **options)

    @contextmanager
    def knowing(self, text: InvertedText) -> Iterator[None]:
        """Run `text` inside this block."""
        table = self.model.get_input_embeddings()
        table.inversions = text.vectors(self.network, self.device)
        try:
            yield
        finally:
            table.inversions = None
