"""Maps that models draw; each model is loaded on the CPU when it is first needed, and kept.

On the CPU it takes no memory from the images, and a map that takes a second or two is soon enough.
"""

import logging
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from pipeline.control.annotator_models import annotator_folders
from pipeline.control.depth import DepthMap
from pipeline.control.normal import NormalMap
from pipeline.control.pixels import Pixels
from pipeline.control.pose import PoseMap
from pipeline.control.segmentation import SegmentMap
from pipeline.errors import InvalidRequest, UserError
from pipeline.memory import is_out_of_memory
from pipeline.requests.control import ControlKind

_log = logging.getLogger(__name__)

LearnedAnnotator = Callable[[Pixels], Pixels]

_ANNOTATORS: Final[Mapping[ControlKind, Callable[..., LearnedAnnotator]]] = {
    ControlKind.DEPTH: DepthMap,
    ControlKind.NORMAL: NormalMap,
    ControlKind.POSE: PoseMap,
    ControlKind.SEGMENT: SegmentMap,
}


def learned_map(kind: ControlKind, pixels: Pixels) -> Pixels:
    """The control map of an image by the model of its kind, of the same size.

    Args:
        kind: one of annotator_models.MODELS.
        pixels: (height, width, 3) in RGB.

    Returns:
        (height, width) or (height, width, 3), as the kind is grey or coloured.

    Raises:
        UserError: the model is absent or damaged, or finds nothing in the image.
    """
    annotator: LearnedAnnotator = _annotator(kind)
    return annotator(pixels)


def mask_of(words: str, pixels: Pixels) -> Pixels:
    """A mask of the things in an image that words name.

    Args:
        words: names of ADE20K's classes with commas between, such as "sky, person".
        pixels: (height, width, 3) in RGB.

    Returns:
        (height, width), 255 where the image shows one of them, else 0.

    Raises:
        InvalidRequest: the model is absent, a word names no class, or the image shows none of them.
    """
    try:
        annotator_folders(ControlKind.SEGMENT)
    except InvalidRequest as error:
        sentence = "Words are no mask here before an admin runs: limner models pull control-segment; attach a mask."
        raise InvalidRequest("mask-of", sentence) from error
    segments: SegmentMap = _annotator(ControlKind.SEGMENT)
    return segments.mask(pixels, words)


def _annotator(kind: ControlKind) -> Any:
    folders = annotator_folders(kind)
    try:
        return _loaded(kind, folders)
    except Exception as error:
        if is_out_of_memory(error):
            raise UserError(f"There is not enough memory to load the model of {kind} maps; try again later.") from error
        # Reading untrusted files may raise anything: there is no model that we can use.
        _log.exception("the model of %s maps in %s cannot be read", kind, folders)
        raise UserError(
            f"The model of {kind} maps is damaged here; an admin can delete it from the Hugging Face cache and run: "
            f"limner models pull control-{kind}"
        ) from error


@cache
def _loaded(kind: ControlKind, folders: tuple[Path, ...]) -> LearnedAnnotator:
    return _ANNOTATORS[kind](*folders)
