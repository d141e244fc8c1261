"""Maps that models draw; each is loaded when it is first asked for and kept, on the processor.

There it takes no memory from the images, and a map that takes a second or two is soon enough.
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
    """The map of an RGB image, in its size; raises UserError if its model is absent or damaged, or sees nothing."""
    annotator: LearnedAnnotator = _annotator(kind)
    return annotator(pixels)


def mask_of(words: str, pixels: Pixels) -> Pixels:
    """Where in an RGB image what `words` name is: (height, width), 255 there; raises UserError as SegmentMap.mask."""
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
        # Whatever a reader of a stranger's files raises: there is no model that we can use.
        _log.exception("the model of %s maps in %s cannot be read", kind, folders)
        raise UserError(
            f"The model of {kind} maps is damaged here; an admin can delete it from the Hugging Face cache and run: "
            f"limner models pull control-{kind}"
        ) from error


@cache
def _loaded(kind: ControlKind, folders: tuple[Path, ...]) -> LearnedAnnotator:
    return _ANNOTATORS[kind](*folders)
