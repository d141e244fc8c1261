"""The blocks of the real UNets, against Stability's names for the same layers."""

import re

import pytest
import torch
from diffusers import UNet2DConditionModel

from pipeline.families.family import ModelFamily
from pipeline.families.lora_blocks import LORA_BLOCKS, block_of
from pipeline.lora.importing.base_layers import Layers, layers_of
from pipeline.lora.importing.layer_names import OriginalNames

_ORIGINAL = re.compile(r"(input_blocks|middle_block|output_blocks)\.(\d+)\.")
_SIDES = {"input_blocks": "IN", "output_blocks": "OUT"}
UNETS = {
    ModelFamily.SDXL: {
        "block_out_channels": (32, 64, 128),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    },
    ModelFamily.SD15: {"block_out_channels": (32, 64, 128, 128)},
}


