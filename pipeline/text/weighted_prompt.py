"""What CLIP cannot do by itself, done by compel: weighted words, and texts longer than its window of 77 tokens."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pipeline.models.text_encoder import TextEncoder
from pipeline.text.prompt_weights import Fragment


class WeightedText:
    """A text with weights for one of a model's encoders.

    compel puts a long text into several windows, cut where a phrase ends, pulls the words of weights above 1 further
    away from the empty text, and mixes those below 1 with the text that lacks them.

    Args:
        encoder: the text encoder.
        fragments: the text; stretches of spaces alone are left out.
        penultimate: whether the model was trained on the encoder's layer before the last.
    """

    def __init__(self, encoder: TextEncoder, fragments: Sequence[Fragment], *, penultimate: bool) -> None:
        self._fragments = [fragment for fragment in fragments if fragment.text.strip()]
        self._device = encoder.device
        # Made again for each text: it keeps what the empty text means, which is another thing under another LoRA.
        self._provider = _provider(encoder, penultimate=penultimate)

    def windows(self) -> int:
        """How many windows of the encoder the text takes.

        Returns:
            The number, from 1.
        """
        tokens, _, _ = self._provider.get_token_ids_and_expand_weights(*self._lists(), device=self._device)
        return len(tokens) // int(self._provider.max_token_count)

    def states(self) -> Tensor:
        """The conditioning of the text.

        Returns:
            (1, windows times 77, width).
        """
        texts, weights = self._lists()
        states: Tensor = self._provider.get_embeddings_for_weighted_prompt_fragments(
            [texts], [weights], device=self._device
        )
        return states

    def _lists(self) -> tuple[list[str], list[float]]:
        return [fragment.text for fragment in self._fragments], [fragment.weight for fragment in self._fragments]


class _PlacedModel:
    """A text encoder as compel calls it, on its device even while its weights wait in host memory.

    Args:
        encoder: the text encoder.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self._run = encoder.run
        self.device = encoder.device
        self.dtype = encoder.model.dtype

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self._run(*inputs, **options)


def _provider(encoder: TextEncoder, *, penultimate: bool) -> Any:
    # With compel come pipelines of diffusers that nothing else needs: two seconds of a device's start.
    from compel.embeddings_provider import EmbeddingsProvider, ReturnedEmbeddingsType, SplitLongTextMode  # noqa: PLC0415

    kinds = ReturnedEmbeddingsType
    wanted = kinds.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED if penultimate else kinds.LAST_HIDDEN_STATES_NORMALIZED
    return EmbeddingsProvider(
        tokenizer=encoder.tokenizer,
        text_encoder=_PlacedModel(encoder),
        truncate=False,
        returned_embeddings_type=wanted,
        split_long_text_mode=SplitLongTextMode.PHRASES,
        device=encoder.device,
    )
