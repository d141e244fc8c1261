"""Maps that models draw; each is loaded when it is first asked for and kept, on the processor.

There it takes no memory from the pictures, and a map that takes a second or two is soon enough.
"""

import logging
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from pipeline.annotator_models import annotator_folders
from pipeline.control_kind import ControlKind
from pipeline.depth_map import DepthMap
from pipeline.errors import UserError
from pipeline.normal_map import NormalMap
from pipeline.pixels import Pixels
from pipeline.pose_map import PoseMap
from pipeline.segment_map import SegmentMap

_log = logging.getLogger(__name__)

LearnedAnnotator = Callable[[Pixels], Pixels]

_ANNOTATORS: Final[Mapping[ControlKind, Callable[..., LearnedAnnotator]]] = {
    ControlKind.DEPTH: DepthMap,
    ControlKind.NORMAL: NormalMap,
    ControlKind.POSE: PoseMap,
    ControlKind.SEGMENT: SegmentMap,
}


def learned_map(kind: ControlKind, pixels: Pixels) -> Pixels:
    """The map of an RGB picture, in its size; raises UserError if its model is absent or damaged, or sees nothing."""
    folders = annotator_folders(kind)
    try:
        annotator = _loaded(kind, folders)
    except Exception as error:
        # Whatever a reader of a stranger's files raises: there is no model that we can use.
        _log.exception("the model of %s maps in %s cannot be read", kind, folders)
        raise UserError(
            f"The model of {kind} maps is damaged here; an admin can delete it from the Hugging Face cache and run: "
            f"limner models pull control-{kind}"
        ) from error
    return annotator(pixels)


@cache
def _loaded(kind: ControlKind, folders: tuple[Path, ...]) -> LearnedAnnotator:
    return _ANNOTATORS[kind](*folders)
