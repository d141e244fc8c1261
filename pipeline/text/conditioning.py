"""What the denoiser is conditioned on: one request's rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """One request's rows, the unconditional one first where there is guidance.

    `states` is (rows, tokens, width); for SDXL `pooled` is (rows, width of the second encoder) and `time_ids` is
    (rows, 6): original height and width, crop top and left, target height and width in pixels. SD 1.5 has neither.
    `guidance` (rows, width) tells a model that was distilled with guidance how strong it is; others have none.
    """

    states: Tensor
    pooled: Tensor | None
    time_ids: Tensor | None
    guidance: Tensor | None = None

    @property
    def rows(self) -> int:
        """How many rows the request takes in a batch."""
        return int(self.states.shape[0])

    @property
    def parts(self) -> tuple[Tensor | None, ...]:
        """What it is made of, in one order."""
        return self.states, self.pooled, self.time_ids, self.guidance

    def empty(self, rows: int) -> "Conditioning":
        """Zeros of the same shapes, dtypes and device.

        Args:
            rows: how many.

        Returns:
            A conditioning of so many rows, to be written into.
        """
        states, pooled, time_ids, guidance = (_zeros(part, rows) for part in self.parts)
        assert states is not None
        return Conditioning(states=states, pooled=pooled, time_ids=time_ids, guidance=guidance)

    def write(self, rows: Sequence[int], other: "Conditioning") -> None:
        """Copy another's rows into this one, in place.

        Args:
            rows: where they go, one index for each row of `other`.
            other: of the same number of tokens.
        """
        for mine, others in zip(self.parts, other.parts, strict=True):
            if mine is not None and others is not None:
                # Row by row: a list of numbers would make the host wait for the device.
                for row, own in zip(rows, others, strict=True):
                    mine[row].copy_(own)


def _zeros(like: Tensor | None, rows: int) -> Tensor | None:
    return None if like is None else like.new_zeros(rows, *like.shape[1:])
