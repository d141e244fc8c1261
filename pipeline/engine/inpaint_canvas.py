"""The canvas of an image: a start image and its mask in the request's size, and the way back into the whole image."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from PIL import Image, ImageChops, ImageFilter
from torch import Tensor
from torch.nn import functional

from pipeline.errors import InvalidRequest
from pipeline.images.input_image import read_image, resized
from pipeline.requests.aspect_ratio import whole_size
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.start_image import StartImage

NO_IMAGES: Final[Mapping[str, bytes]] = MappingProxyType({})

_LANCZOS: Final = Image.Resampling.LANCZOS
_NEAREST: Final = Image.Resampling.NEAREST
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """A start image, ready to be drawn over.

    `start` (RGB) and `mask` (L, 128 and above is redrawn, None for everything) have the request's size. `whole` is the
    image that the result is put back into, at `box` (left, top, right, bottom), which may reach beyond it by up to 7
    pixels; `edge` (L) says how much of each of its pixels comes from the result.
    """

    start: Image.Image
    mask: Image.Image | None
    whole: Image.Image
    box: Box
    edge: Image.Image | None

    @classmethod
    def of(cls, request: ImageRequest, images: Mapping[str, bytes]) -> "Canvas | None":
        """The canvas of a request.

        Args:
            request: with or without a start image.
            images: the bytes of its images, by key.

        Returns:
            None where the request has no start image.

        Raises:
            InvalidRequest: an image cannot be read, or the mask is black everywhere or cannot be made from its
                words.
        """
        begin, size = request.start, (request.width, request.height)
        if begin is None:
            return None
        image = read_image(images[begin.image]).rgb
        if not begin.is_masked:
            return cls._unmasked(image, size)
        mask = _mask(begin, image, images)
        return cls._masked(image, mask, request)

    @classmethod
    def _unmasked(cls, whole: Image.Image, size: tuple[int, int]) -> "Canvas":
        """The result has the image's own size, unless that is smaller than what is drawn."""
        if size == whole_size(*whole.size):
            return cls(start=_extended(whole, size), mask=None, whole=whole, box=(0, 0, *size), edge=None)
        if size[0] * size[1] < whole.width * whole.height:
            return cls(start=whole.resize(size, _LANCZOS), mask=None, whole=whole, box=(0, 0, *whole.size), edge=None)
        start = resized(whole, size)
        return cls(start=start, mask=None, whole=start, box=(0, 0, *size), edge=None)

    @classmethod
    def _masked(cls, whole: Image.Image, mask: Image.Image, request: ImageRequest) -> "Canvas":
        assert request.start is not None, "only a request with a start image has a mask"
        mask = mask.point(lambda level: 255 if level >= 128 else 0)
        marked = mask.getbbox()
        if marked is None:
            raise InvalidRequest("mask", "The mask is black everywhere; paint white what is to be redrawn.")
        size, padding = (request.width, request.height), request.start.padding
        edge = _edge(mask, request.start)
        if padding is None and size == whole_size(*whole.size):
            start, own, box = _extended(whole, size), _extended(mask, size), (0, 0, *size)
        else:
            box = (0, 0, *whole.size) if padding is None else surroundings(marked, padding, size, whole.size)
            start, own = whole.crop(box).resize(size, _LANCZOS), mask.crop(box).resize(size, _NEAREST)
        return cls(start=start, mask=own, whole=whole, box=box, edge=edge)

    def pixels(self) -> Tensor:
        """The start image as the autoencoder reads it.

        Returns:
            (1, 3, height, width), -1 to 1, float32 on the CPU.
        """
        levels = torch.from_numpy(np.asarray(self.start, dtype=np.float32).copy())
        return levels.permute(2, 0, 1)[None] / 127.5 - 1

    def latent_mask(self, scale_factor: int) -> Tensor | None:
        """The mask with a cell for each latent.

        Args:
            scale_factor: pixels of a side for each latent of a side.

        Returns:
            (1, 1, height, width) in latents, 1 where the image is redrawn, else 0; None where all of it is.
        """
        if self.mask is None:
            return None
        levels = torch.from_numpy(np.asarray(self.mask, dtype=np.float32).copy())[None, None] / 255
        return functional.interpolate((levels >= 0.5).float(), scale_factor=1 / scale_factor)

    def put_back(self, painted: Image.Image) -> Image.Image:
        """Put the result back into the whole image.

        Args:
            painted: in the request's size, RGB.

        Returns:
            The whole image; to the bit as it was where both the mask and its soft edge are black.
        """
        left, top, right, bottom = self.box
        result = self.whole.copy()
        result.paste(painted.resize((right - left, bottom - top), _LANCZOS), self.box)
        return result if self.edge is None else Image.composite(result, self.whole, self.edge)


def _extended(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """An image with its last row and column repeated up to a size, which is cut off again in the end."""
    levels = np.asarray(image)
    beyond = [(0, size[1] - image.height), (0, size[0] - image.width), (0, 0)][: levels.ndim]
    return Image.fromarray(np.pad(levels, beyond, mode="edge"))


def _edge(mask: Image.Image, start: StartImage) -> Image.Image:
    """How much of each pixel is drawn: a soft edge on both sides of the mask's, or inside it alone."""
    soft = mask.filter(ImageFilter.GaussianBlur(start.feather / 2))
    if not start.feather_inside:
        return soft
    return ImageChops.darker(soft.point(lambda level: max(0, 2 * level - 255)), mask)


def _mask(begin: StartImage, image: Image.Image, images: Mapping[str, bytes]) -> Image.Image:
    """The mask (L) in the size of `image`."""
    if begin.mask_of is not None:
        # Not at the top: it brings the classes of vision models, and hardly any image has such a mask.
        from pipeline.control.learned_annotators import mask_of  # noqa: PLC0415

        return Image.fromarray(mask_of(begin.mask_of, np.asarray(image)))
    assert begin.mask is not None, "a masked start image has a mask or words for one"
    return read_image(images[begin.mask], "mask").rgb.convert("L").resize(image.size, _NEAREST)


def surroundings(marked: Box, padding: int, size: tuple[int, int], whole: tuple[int, int]) -> Box:
    """The part of an image that is enlarged to the request's size, so that a small mask is drawn in full detail.

    Args:
        marked: the box that holds the mask's white pixels.
        padding: pixels to add around it.
        size: (width, height) of the request, whose proportions the part gets where the image is large enough.
        whole: (width, height) of the image.

    Returns:
        The smallest such box that lies inside the image.
    """
    left, top, right, bottom = marked
    left, top = max(0, left - padding), max(0, top - padding)
    right, bottom = min(whole[0], right + padding), min(whole[1], bottom + padding)
    ratio = size[0] / size[1]
    width, height = max(right - left, (bottom - top) * ratio), max(bottom - top, (right - left) / ratio)
    (first, last), (upper, lower) = _span(left, right, width, whole[0]), _span(top, bottom, height, whole[1])
    return first, upper, last, lower


def _span(start: int, end: int, length: float, limit: int) -> tuple[int, int]:
    """A stretch of `length` around the middle of the other, moved and cut to lie within 0 and `limit`."""
    long = min(limit, round(length))
    first = min(max(0, round((start + end - long) / 2)), limit - long)
    return first, first + long
