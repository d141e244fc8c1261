"""A loaded model with its three stages: encode, denoise, decode."""

import io
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from PIL import Image

from pipeline import picture_info
from pipeline.batching import Shape
from pipeline.checkpoints import load_checkpoint
from pipeline.denoiser import Denoiser, Rendering
from pipeline.hardware import Hardware
from pipeline.image_request import ImageRequest
from pipeline.model_source import ModelSource
from pipeline.picture_info import PictureInfo
from pipeline.previews import Previews
from pipeline.prompt_encoder import PromptEncoder

_DECIDING_PACKAGES: Final = ("limner", "torch", "diffusers", "transformers")


class Studio:
    """Everything that turns requests for one model into pictures; raises UserError if the model cannot be loaded."""

    def __init__(self, source: ModelSource, hardware: Hardware) -> None:
        self._checkpoint = load_checkpoint(source, hardware)
        self.facts = self._checkpoint.facts
        self.denoiser = Denoiser(self._checkpoint)
        self._encoder = PromptEncoder(
            self.facts.family,
            self._checkpoint.text_encoders,
            zero_empty_negative=self._checkpoint.zero_empty_negative,
        )
        self._previews = Previews.fit(self._checkpoint)

    def shape(self, request: ImageRequest) -> Shape:
        """Which requests `request` may share a call with."""
        factor = self._checkpoint.scale_factor
        return Shape(checkpoint=self.facts.name, height=request.height // factor, width=request.width // factor)

    def begin(self, request: ImageRequest) -> Rendering:
        """The encode stage: the request at its first step."""
        return self.denoiser.begin(request, self._encoder.encode(request))

    def preview(self, rendering: Rendering) -> bytes:
        """A small JPEG of what the picture would be if it were finished now."""
        assert rendering.denoised is not None, "a preview is asked for after a step"
        return self._previews.jpeg(rendering.denoised)

    def finish(self, rendering: Rendering, bucket: int) -> bytes:
        """The decode stage: the picture as PNG with its story inside."""
        file = io.BytesIO()
        Image.fromarray(self.denoiser.decode(rendering.latents).numpy()).save(file, "PNG")
        return picture_info.embed(file.getvalue(), self._info(rendering.request, bucket))

    def _info(self, request: ImageRequest, bucket: int) -> PictureInfo:
        hardware = self._checkpoint.hardware
        return PictureInfo(
            made_from=replace(request, bucket=None),
            model_name=self.facts.name,
            model_hash=self.facts.hash,
            bucket=bucket,
            device=hardware.name,
            dtype=hardware.dtype_name,
            versions=tuple((package, _version(package)) for package in _DECIDING_PACKAGES),
        )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
