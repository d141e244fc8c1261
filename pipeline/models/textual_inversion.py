"""Textual inversions in a prompt: words that stand for learnt vectors (Gal et al., 2022; arXiv 2208.01618)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from tokenizers import AddedToken
from torch import Tensor, nn

from pipeline.errors import InvalidRequest
from pipeline.transfer import to_device

# Signs that Unicode leaves to whom it may concern; no window has room for more vectors than these.
_SIGNS: Final = tuple(chr(0xF0000 + number) for number in range(600))
_NOT_SIGNS: Final = dict.fromkeys(map(ord, _SIGNS), " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextualInversion:
    """What `text` means in a prompt: `vectors` (count, width) for each text encoder by its network's name."""

    text: str
    vectors: Mapping[str, Tensor]

    @property
    def count(self) -> int:
        """How many tokens it takes, in each encoder."""
        return max(len(vectors) for vectors in self.vectors.values())

    @property
    def size(self) -> int:
        """Bytes of all vectors."""
        return sum(vectors.nbytes for vectors in self.vectors.values())


class WordTable(nn.Embedding):
    """CLIP's table of token vectors, where ids from -1 down are the rows of `inversions`.

    Ids below zero leave alone what CLIP reads off the others: older configs find a text's end by its largest id.
    """

    inversions: Tensor | None = None
    first_sign: int

    @classmethod
    def from_base(cls, base: nn.Embedding, first_sign: int) -> "WordTable":
        """The same table with the same weights, which stay where they are.

        Args:
            base: CLIP's own.
            first_sign: the token id of the first sign.

        Returns:
            The table, in evaluation mode.
        """
        with torch.device("meta"):
            made = cls(base.num_embeddings, base.embedding_dim)
        made.weight, made.first_sign = base.weight, first_sign
        return made.eval()

    def below_zero(self, ids: Tensor) -> Tensor:
        """The tokenizer's ids as the table takes them.

        Args:
            ids: (rows, tokens).

        Returns:
            The same, with -1 for the first sign, -2 for the second, and so on.
        """
        return torch.where(ids < self.first_sign, ids, self.first_sign - 1 - ids)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        """The vectors of tokens.

        Args:
            input: ids (rows, tokens) from `below_zero`.

        Returns:
            (rows, tokens, width).
        """
        if self.inversions is None:
            return super().forward(input)
        known = super().forward(input.clamp(min=0))
        return torch.where((input < 0)[..., None], self.inversions[(-1 - input).clamp(min=0)], known)


def make_teachable(tokenizer: Any, model: Any) -> None:
    """Let a CLIP tokenizer know the signs and its model their vectors; texts without signs stay what they are.

    Args:
        tokenizer: is changed in place.
        model: its table of token vectors becomes a WordTable.
    """
    tokenizer.add_tokens([AddedToken(sign, normalized=False) for sign in _SIGNS])
    first = int(tokenizer.convert_tokens_to_ids(_SIGNS[0]))
    model.set_input_embeddings(WordTable.from_base(model.get_input_embeddings(), first))


class InvertedText:
    """A text in which learnt words are signs, one sign a vector.

    Args:
        text: of a prompt; signs that it holds already become spaces.
        words: what it may name, in any case, as words of their own; of two that are the same the first counts.

    Raises:
        InvalidRequest: its words take more tokens than any prompt may have.
    """

    def __init__(self, text: str, words: Sequence[TextualInversion]) -> None:
        self._known = {word.text.lower(): word for word in reversed(words)}
        self._signs: dict[str, str] = {}
        self._used = 0
        self.text = text.translate(_NOT_SIGNS)
        if self._known:
            # The longest first, for one word may begin with another.
            pattern = "|".join(_whole(known) for known in sorted(self._known, key=len, reverse=True))
            self.text = re.sub(pattern, self._spelled, self.text, flags=re.IGNORECASE)

    def vectors(self, network: str, device: torch.device) -> Tensor | None:
        """What the signs mean to a text encoder.

        Args:
            network: the encoder's name, `text_encoder` or `text_encoder_2`.
            device: where the vectors are wanted.

        Returns:
            (signs, width), or None without signs.
        """
        if not self._signs:
            return None
        return to_device(torch.cat([self._known[text].vectors[network] for text in self._signs]), device)

    def _spelled(self, found: re.Match[str]) -> str:
        text = found[0].lower().strip("<>")
        if (word := self._known.get(text)) is None:
            return found[0]
        if text not in self._signs:
            signs = _SIGNS[self._used : self._used + word.count]
            if len(signs) < word.count:
                raise InvalidRequest("prompt", f"'{word.text}' makes the prompt too long; leave out some learnt words.")
            self._signs[text] = "".join(signs)
            self._used += word.count
        return self._signs[text]


def _whole(text: str) -> str:
    """Matches `text` as a word of its own, with or without the angle brackets that many give it."""
    before = r"(?<!\w)" if text[0].isalnum() else ""
    after = r"(?!\w)" if text[-1].isalnum() else ""
    return rf"<{re.escape(text)}>|{before}{re.escape(text)}{after}"
