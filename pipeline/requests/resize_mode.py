"""What becomes of a picture whose proportions are not the wanted ones."""

from enum import StrEnum


class ResizeMode(StrEnum):
    """Cut to them, set into a border, or stretched; the value is what a member types."""

    CROP = "crop"
    FIT = "fit"
    FILL = "fill"
