"""A picture to be enlarged, as the job's row keeps it."""

from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class EnlargeOrder:
    """The picture whose blob is `picture`, to be `factor` times as large: `width` by `height` pixels, by `upscaler`."""

    picture: str
    factor: int
    width: int
    height: int
    upscaler: str

    @property
    def title(self) -> str:
        """What is made, in words."""
        return f"A picture {self.factor} times as large, {self.width}×{self.height}"


_ORDER: Final = TypeAdapter(EnlargeOrder)


def write_enlargement(order: EnlargeOrder) -> str:
    """The order as a job's payload."""
    return _ORDER.dump_json(order).decode()


def read_enlargement(payload: str) -> EnlargeOrder:
    """The order of a job's row."""
    return _ORDER.validate_json(payload)
