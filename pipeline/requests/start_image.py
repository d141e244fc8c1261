"""An image that a request begins with: image to image, inpainting."""

from dataclasses import dataclass
from typing import Final

from pipeline.errors import InvalidRequest, check_range

MAX_FEATHER: Final = 64
MAX_PADDING: Final = 512
_MAX_WORDS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StartImage:
    """An image to begin with instead of noise, as SDEdit does: Meng et al., 2021 (arXiv 2108.01073).

    `image` is the key of its bytes; `strength` says how far it is taken towards noise, 0 (not at all) to 1 (wholly).
    `mask` is the key of an image that is white where the start may change; elsewhere it stays, with an edge as soft as
    `feather`, in pixels. With `padding`, in pixels, the mask's surroundings of that width alone are drawn, at the
    request's full size, and put back into the whole image, which keeps its own size. In place of a mask `mask_of`
    says in words what may change, such as "sky, person". With `feather_inside` the soft edge lies inside the mask, so
    that all outside stays. `original_size` is what the image was handed over in, where it is drawn in another size.
    Raises InvalidRequest, naming the field and its limit.
    """

    image: str
    strength: float = 0.8
    mask: str | None = None
    mask_of: str | None = None
    feather: int = 8
    padding: int | None = None
    feather_inside: bool = False
    original_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_range("strength", self.strength, 0, 1)
        check_range("feather", self.feather, 0, MAX_FEATHER)
        check_range("padding", self.padding or 0, 0, MAX_PADDING)
        if len(self.mask_of or "") > _MAX_WORDS:
            raise InvalidRequest("mask-of", f"mask-of has more than {_MAX_WORDS} characters; name less.")
        if self.mask is not None and self.mask_of is not None:
            raise InvalidRequest("mask-of", "mask-of is for a picture without a mask; leave out one of them.")

    @property
    def is_masked(self) -> bool:
        """Whether only a part of the image may change."""
        return self.mask is not None or self.mask_of is not None

    @property
    def image_keys(self) -> tuple[str, ...]:
        """The keys of the images that it is made of."""
        return (self.image,) if self.mask is None else (self.image, self.mask)
