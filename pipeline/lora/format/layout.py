"""How the files of other programs name a LoRA's tensors."""

from enum import StrEnum


class LoraLayout(StrEnum):
    """How a file names its tensors."""

    KOHYA = "kohya"
    DIFFUSERS = "diffusers"
