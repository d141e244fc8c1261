"""Our forwards of attention layers beside diffusers' own, on layers of random weights."""

import pytest
import torch
from diffusers.models.attention_processor import Attention
from torch import nn

from pipeline.models.attention import install, prepared_for


@torch.no_grad()
def test_the_forwards_compute_what_diffusers_do() -> None:
    """With the prompt's keys and values prepared once, and gone afterwards."""
    torch.manual_seed(0)
    block = nn.ModuleDict({
        "attn1": Attention(query_dim=16, heads=2, dim_head=8),
        "attn2": Attention(query_dim=16, cross_attention_dim=12, heads=2, dim_head=8),
    })  # fmt: skip
    unet = nn.ModuleDict({"block": block})
    hidden, prompt = torch.randn(3, 20, 16), torch.randn(3, 7, 12)
    theirs = block["attn1"](hidden), block["attn2"](hidden, encoder_hidden_states=prompt)

    (cross,) = install(unet)

    torch.testing.assert_close(block["attn1"](hidden), theirs[0])
    with prepared_for([cross], [cross.keys_and_values(prompt)]):
        torch.testing.assert_close(block["attn2"](hidden), theirs[1])
    with pytest.raises(AssertionError, match="prepared_for"):
        block["attn2"](hidden)
