"""A CLIP tokenizer and its model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

from pipeline.models.textual_inversion import InvertedText, TextualInversion, WordTable
from pipeline.transfer import to_device

CLIP_CLASSES: Final = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
"""What transformers makes of each text encoder's config, by diffusers' names of the parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoder:
    """A CLIP tokenizer and its model, which runs on `device`; `network` is what LoRA files call it.

    `skipped` last layers have no part in the states that `run` returns; what is pooled is of all layers.
    """

    network: str
    tokenizer: Any
    model: Any
    device: torch.device
    skipped: int = 0

    @property
    def layers(self) -> int:
        """How many layers the model has."""
        return int(self.model.config.num_hidden_layers)

    def tokens(self, text: str) -> Tensor:
        """The token ids of a text.

        Args:
            text: is cut at its end where it is longer than the window.

        Returns:
            (1, 77) with CLIP's window, padded, on the encoder's device.
        """
        tokenizer = self.tokenizer
        ids: Tensor = tokenizer(
            text, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
        ).input_ids
        return to_device(ids, self.device)

    def inverted(self, text: str, words: Sequence[TextualInversion]) -> InvertedText:
        """A text as this encoder reads it.

        Args:
            text: of a prompt.
            words: textual inversions; one without vectors for this encoder stays the words that it is written with.

        Returns:
            The text, with the others' vectors.
        """
        return InvertedText(text, [word for word in words if self.network in word.vectors])

    def has_room_for(self, text: str) -> bool:
        """Whether a text fits into one window.

        Args:
            text: of a prompt, without weights.

        Returns:
            Whether `tokens` would cut nothing off.
        """
        return len(self.tokenizer(text, verbose=False).input_ids) <= int(self.tokenizer.model_max_length)

    def run(self, ids: Tensor, *inputs: Any, **options: Any) -> Any:
        """The model's output.

        Args:
            ids: token ids (rows, 77) from the tokenizer.
            *inputs: as the model's own forward takes them.
            **options: as above.

        Returns:
            What transformers' CLIP text models return, as if the layers that are `skipped` were not there.
        """
        table = self.model.get_input_embeddings()
        ids = table.below_zero(ids) if isinstance(table, WordTable) else ids
        if not self.skipped:
            return self.model(ids, *inputs, **options)
        output = self.model(ids, *inputs, **{**options, "output_hidden_states": True})
        output.hidden_states = output.hidden_states[: -self.skipped]
        norm = getattr(self.model, "text_model", self.model).final_layer_norm
        output.last_hidden_state = norm(output.hidden_states[-1])
        return output

    @contextmanager
    def knowing(self, text: InvertedText) -> Iterator[None]:
        """Run a text inside this block.

        Args:
            text: what `inverted` returned; its vectors are in force.
        """
        table = self.model.get_input_embeddings()
        table.inversions = text.vectors(self.network, self.device)
        try:
            yield
        finally:
            table.inversions = None
