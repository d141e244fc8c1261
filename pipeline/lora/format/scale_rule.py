"""What a LoRA's parts do at scales other than 1, where programs differ."""

from enum import StrEnum


class ScaleRule(StrEnum):
    """The program whose results a LoRA gives at any scale; `docs/lora-format.md` has the formulas.

    All of them agree on a part that is linear in its scale, and on most others at scale 1.
    """

    LINEAR = "linear"
    LYCORIS = "lycoris"
    PEFT = "peft"
    COMFYUI = "comfyui"
