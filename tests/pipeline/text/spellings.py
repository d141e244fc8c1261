"""Weighted and long prompts, and what compel makes of them."""

from typing import Any

import torch
from compel import CompelForSD, CompelForSDXL
from torch import Tensor

LONG = "red fox, glossy style, " * 20
# As members write it, and as compel does.
SPELLINGS = {
    "raised and lowered": ("a (red:1.4) fox, (snow:0.6)", "a (red)1.4 fox, (snow)0.6"),
    "left out": ("red fox, (snow:0)", "red fox, (snow)0"),
    "long": (LONG, LONG),
    "long and weighted": (f"{LONG}(teal background:1.3), [snow]", f"{LONG}(teal background)1.3, (snow)0.90909090909"),
}


def conditioned(pipeline: Any, prompt: str, negative: str) -> Tensor:
    """The rows that compel makes for a pipeline, the negative one first."""
    made = (CompelForSDXL if hasattr(pipeline, "text_encoder_2") else CompelForSD)(pipeline)(
        prompt, negative_prompt=negative
    )
    assert made.negative_embeds is not None
    return torch.cat([made.negative_embeds, made.embeds])
