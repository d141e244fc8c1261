"""What a LoRA's row keeps beside its columns, in the column that its card is in."""

from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter

from pipeline.requests.sampling import Sampling

_BEGINNING: Final = '{"card":'


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraFacts:
    """The lines of the `card`, how a distillation wants to be sampled, and the hashes of the file that was imported."""

    card: str
    sampling: Sampling | None = None
    hashes: tuple[str, ...] = ()

    def write(self) -> str:
        """The text of the column: JSON, or the card alone where there is nothing else."""
        return self.card if self == LoraFacts(card=self.card) else _FACTS.dump_json(self).decode()

    @classmethod
    def read(cls, text: str) -> "LoraFacts":
        """What was written so; rows of before hold a card."""
        return _FACTS.validate_json(text) if text.startswith(_BEGINNING) else cls(card=text)


_FACTS: Final = TypeAdapter(LoraFacts)
