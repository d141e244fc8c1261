"""The kinds of control: which property of an image is kept."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pipeline.errors import InvalidRequest, check_range


class ResizeMode(StrEnum):
    """Cut to them, set into a border, or stretched; the value is what a member types."""

    CROP = "crop"
    FIT = "fit"
    FILL = "fill"


class ControlKind(StrEnum):
    """What a control keeps; the value is what a member types, and the folder in which its ControlNet lies."""

    EDGE = "edge"
    SCRIBBLE = "scribble"
    LINEART = "lineart"
    SOFTEDGE = "softedge"
    DEPTH = "depth"
    POSE = "pose"
    NORMAL = "normal"
    SEGMENT = "segment"
    TILE = "tile"
    COLOR = "color"
    LUMINANCE = "luminance"
    QR = "qr"

    @property
    def keeps(self) -> str:
        """In words, for help."""
        return _KEEPS[self]

    @property
    def is_lines(self) -> bool:
        """Whether its maps are lines, white on black."""
        return self in _LINES

    @property
    def has_detail(self) -> bool:
        """Whether its maps may hold more or less of what it keeps."""
        return self in _LINES or self in (ControlKind.TILE, ControlKind.COLOR)


_KEEPS = {
    ControlKind.EDGE: "sharp outlines",
    ControlKind.SCRIBBLE: "rough strokes",
    ControlKind.LINEART: "drawn lines",
    ControlKind.SOFTEDGE: "soft outlines",
    ControlKind.DEPTH: "near and far",
    ControlKind.POSE: "how people stand",
    ControlKind.NORMAL: "the relief of surfaces",
    ControlKind.SEGMENT: "what is where",
    ControlKind.TILE: "all but its finest detail",
    ControlKind.COLOR: "colours in large patches",
    ControlKind.LUMINANCE: "light and dark",
    ControlKind.QR: "a QR code, or another pattern in black and white",
}

_LINES = frozenset({ControlKind.EDGE, ControlKind.SCRIBBLE, ControlKind.LINEART, ControlKind.SOFTEDGE})


EMPTY_MAP: Final = "limner-empty-map"
"""The keyword of the text in a map's PNG that says that there is nothing in it."""

MAX_CONTROL_SCALE: Final = 2.0
MAX_DETAIL: Final = 2.0
"""Each whole step of detail halves or doubles what counts as a line."""


class ControlMode(StrEnum):
    """Who wins where the prompt and the control disagree; the value is what a member types."""

    BALANCED = "balanced"
    PROMPT = "prompt"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlUse:
    """One ControlNet at work: Zhang et al., 2023 (arXiv 2302.05543).

    `image` is the key of the bytes of the image of which `kind` is kept, with more or less `detail` (-2 to 2), or,
    with `ready`, of a control map made elsewhere, `inverted` where that is black on white; `resize` fits it to the
    request's size. `scale` is the conditioning scale; it works from `start` to `end`, parts of the steps that are made.
    Raises InvalidRequest, naming the field and its limit.
    """

    kind: ControlKind
    image: str
    ready: bool = False
    inverted: bool = False
    detail: float = 0.0
    resize: ResizeMode = ResizeMode.CROP
    scale: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mode: ControlMode = ControlMode.BALANCED

    def __post_init__(self) -> None:
        check_range("control detail", self.detail, -MAX_DETAIL, MAX_DETAIL)
        check_range("control scale", self.scale, 0, MAX_CONTROL_SCALE)
        check_range("control start", self.start, 0, 1)
        check_range("control end", self.end, 0, 1)
        if self.start >= self.end:
            raise InvalidRequest("control", f"The control ends at {self.end:g}, before it starts at {self.start:g}.")
