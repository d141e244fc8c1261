"""The blocks of the real UNets, against Stability's names for the same layers."""

import re
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from pipeline.families.family import ModelFamily
from pipeline.families.lora_blocks import LORA_BLOCKS, block_of
from pipeline.lora.importing.base_layers import Layers, layers_of
from pipeline.lora.importing.layer_names import OriginalNames

_ORIGINAL = re.compile(r"(input_blocks|middle_block|output_blocks)\.(\d+)\.")
_SIDES = {"input_blocks": "IN", "output_blocks": "OUT"}
UNETS: dict[ModelFamily, dict[str, Any]] = {
    ModelFamily.SDXL: {
        "block_out_channels": (32, 64, 128),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    },
    ModelFamily.SD15: {"block_out_channels": (32, 64, 128, 128)},
}


def real_layers(family: ModelFamily) -> Layers:
    """The layers of a UNet as deep as the family's and narrow, without numbers."""
    with torch.device("meta"):
        return layers_of({"unet": UNet2DConditionModel(norm_num_groups=16, cross_attention_dim=32, **UNETS[family])})


@pytest.mark.parametrize("family", ModelFamily)
def test_a_block_is_what_stability_calls_it(family: ModelFamily) -> None:
    """For every layer and norm; what is in no block of theirs is in none of ours; no block is left over."""
    layers = real_layers(family)
    names, seen = OriginalNames.of(layers), set()
    for path in (layer.removeprefix("unet.") for layer in layers):
        match = _ORIGINAL.match(names.of_path(path))
        theirs = None if match is None else _SIDES.get(match[1], "M") + f"{int(match[2]):02}"
        theirs = "M00" if match is not None and match[1] == "middle_block" else theirs
        assert block_of(path) == theirs, path
        seen.add(theirs)

    assert seen - {None} == set(LORA_BLOCKS[family].all[1:])


@pytest.mark.parametrize("family", ModelFamily)
def test_the_short_list_has_the_blocks_with_attention(family: ModelFamily) -> None:
    """In the order of the long one, behind the text encoders."""
    own = LORA_BLOCKS[family]
    attentive = {block_of(layer.removeprefix("unet.")) for layer in real_layers(family) if ".attentions." in layer}

    assert own.attentive == ("BASE", *(block for block in own.all if block in attentive))
    assert (len(own.attentive), len(own.all)) == {ModelFamily.SDXL: (12, 20), ModelFamily.SD15: (17, 26)}[family]
