"""A picture that a request begins with: image to image, inpainting."""

from dataclasses import dataclass
from typing import Final

from pipeline.errors import check_range

MAX_FEATHER: Final = 64
MAX_PADDING: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class StartImage:
    """A picture to begin with instead of noise, as SDEdit does: Meng et al., 2021 (arXiv 2108.01073).

    `picture` is the key of its bytes; `strength` says how far it is taken towards noise, 0 (not at all) to 1 (wholly).
    `mask` is the key of a picture that is white where the start may change; elsewhere it stays, with an edge as soft as
    `feather`, in pixels. With `padding`, in pixels, the mask's surroundings of that width alone are drawn, at the
    request's full size, and put back into the whole picture, which keeps its own size.
    Raises InvalidRequest, naming the field and its limit.
    """

    picture: str
    strength: float = 0.8
    mask: str | None = None
    feather: int = 8
    padding: int | None = None

    def __post_init__(self) -> None:
        check_range("strength", self.strength, 0, 1)
        check_range("feather", self.feather, 0, MAX_FEATHER)
        check_range("padding", self.padding or 0, 0, MAX_PADDING)

    @property
    def picture_keys(self) -> tuple[str, ...]:
        """The keys of the pictures that it is made of."""
        return (self.picture,) if self.mask is None else (self.picture, self.mask)
