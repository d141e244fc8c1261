"""The kinds of control: which property of a picture is kept."""

from enum import StrEnum


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
