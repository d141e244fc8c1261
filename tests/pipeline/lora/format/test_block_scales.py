"""What block weights mean: sd-webui-lora-block-weight's lists and presets, and SD.Next's sides."""

import pytest

from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from pipeline.families.lora_blocks import LORA_BLOCKS
from pipeline.lora.format.block_scales import scale_in, scales_of
from pipeline.requests.image_request import LoraUse

SD15, SDXL = ModelFamily.SD15, ModelFamily.SDXL


def use(blocks: str | None, scale: float = 1.0, text: float | None = None) -> LoraUse:
    return LoraUse(key="k", name="style", scale=scale, text_encoder_scale=text, blocks=blocks)


@pytest.mark.parametrize(
    ("family", "preset", "weights"),
    [
        (SD15, "NONE", "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0"),
        (SD15, "ALL", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"),
        (SD15, "INS", "1,1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0"),
        (SD15, "IND", "1,0,0,0,1,1,1,0,0,0,0,0,0,0,0,0,0"),
        (SD15, "INALL", "1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,0,0"),
        (SD15, "MIDD", "1,0,0,0,1,1,1,1,1,1,1,1,0,0,0,0,0"),
        (SD15, "OUTD", "1,0,0,0,0,0,0,0,1,1,1,1,0,0,0,0,0"),
        (SD15, "OUTS", "1,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1"),
        (SD15, "OUTALL", "1,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1"),
        (SD15, "ALL0.5", ",".join(["0.5"] * 17)),
        (SDXL, "INS", "1,1,1,0,0,0,0,0,0,0,0,0"),
        (SDXL, "ind", "1,0,0,1,1,0,0,0,0,0,0,0"),
        (SDXL, "MIDD", "1,0,0,1,1,1,1,1,1,0,0,0"),
        (SDXL, "OUTD", "1,0,0,0,0,0,1,1,1,0,0,0"),
        (SDXL, "OUTS", "1,0,0,0,0,0,0,0,0,1,1,1"),
        (SDXL, "OUTALL", "1,0,0,0,0,0,1,1,1,1,1,1"),
    ],
)
def test_a_preset_is_a_list(family: ModelFamily, preset: str, weights: str) -> None:
    """The extension's own for SD 1.5, the same blocks for SDXL."""
    assert scales_of(use(preset, 0.5, 0.8), family) == scales_of(use(weights, 0.5, 0.8), family)


@pytest.mark.parametrize("family", ModelFamily)
def test_a_list_multiplies_the_scales_block_by_block(family: ModelFamily) -> None:
    """The first is the text encoders'; a short list leaves the LoRA out of the blocks that it does not have."""
    own = LORA_BLOCKS[family]
    for form in (own.attentive, own.all):
        weights = [round(0.1 * place - 1, 1) for place in range(len(form))]
        made = scales_of(use(",".join(map(str, weights)), 0.5, 0.8), family)

        assert (made.unet, made.text) == (0.5, 0.8 * weights[0])
        found = dict(made.blocks)
        assert found == {block: 0.5 * dict(zip(form, weights, strict=True)).get(block, 0.0) for block in own.all[1:]}


def test_scales_of_sides_take_the_place_of_the_unets() -> None:
    """As SD.Next does it; a side that is not named has the UNet's, layers of no side have that of the inputs."""
    made = scales_of(use("in=0:out=-.5", 0.7, 0.3), SDXL)

    layers = ("down_blocks.1.attentions.0.proj_in", "conv_in", "time_embedding.linear_1", "mid_block.resnets.0.conv1")
    assert [scale_in(made.blocks, layer, made.unet) for layer in layers] == [0, 0, 0, 0.7]
    assert scale_in(made.blocks, "up_blocks.2.resnets.0.conv1", made.unet) == -0.5
    assert made.text == 0.3


def test_without_weights_all_layers_have_the_same() -> None:
    """And so have layers that are in no block, with weights."""
    assert scales_of(use(None, 0.7), SD15).blocks == ()
    none = scales_of(use("NONE", 0.7), SD15)
    assert scale_in(none.blocks, "time_embedding.linear_1", none.unet) == 0.7


@pytest.mark.parametrize(
    ("family", "blocks", "words"),
    [
        (SD15, ",".join("1" * 12), "LoRA 'style' is given 12 block weights; SD 1.5 takes 17 or 26."),
        (SDXL, ",".join("1" * 17), "LoRA 'style' is given 17 block weights; SDXL takes 12 or 20."),
        (SDXL, "1", "is given 1 block weights; SDXL takes 12 or 20."),
        (SDXL, "MINE", "LoRA 'style' has no block weights 'MINE'; write 12 or 20 numbers for SDXL, or one of: NONE, "),
        (SD15, "R" + ",1" * 16, "has no block weights"),
        (SDXL, "in=1:in=0", "are unclear"),
        (SDXL, "in=x", "are unclear"),
        (SDXL, "lbw=1", "are unclear"),
        (SDXL, "in=10.5", "scale it beyond 10"),
        (SDXL, "-11" + ",1" * 11, "scale it beyond 10"),
    ],
)
def test_what_fits_no_block_is_refused(family: ModelFamily, blocks: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        scales_of(use(blocks), family)
