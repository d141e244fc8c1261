"""A picture's story inside its PNG: AUTOMATIC1111's `parameters` text, and `limner`, the JSON of an exact re-run."""

from dataclasses import dataclass

from pipeline.image_request import ImageRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureInfo:
    """All that decided a picture.

    `made_from` is the request that the engine ran (count 1); `model_hash` starts the weights' SHA-256; `bucket` is the
    number of rows of the padded batch; `device` and `dtype` say where and how exactly it ran; `versions` are those
    of the libraries that decide.
    """

    made_from: ImageRequest
    model_name: str
    model_hash: str
    bucket: int
    device: str
    dtype: str
    versions: tuple[tuple[str, str], ...]

    def request(self) -> ImageRequest:
        """The request that gives this picture again, bit for bit on the same device."""
        raise NotImplementedError

    def parameters(self) -> str:
        """The text that AUTOMATIC1111 writes and Civitai reads."""
        raise NotImplementedError


def embed(png: bytes, info: PictureInfo) -> bytes:
    """The same picture with `info` in its text chunks."""
    raise NotImplementedError


def read(png: bytes) -> PictureInfo:
    """The story in a PNG that Limner wrote; raises UserError if there is none or it cannot be trusted."""
    raise NotImplementedError
