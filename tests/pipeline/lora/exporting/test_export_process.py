"""An export apart: a file or one sentence, from a process of its own."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.exporting.export_process import ExportOrder, export_apart
from pipeline.lora.format.layout import LoraLayout
from pipeline.lora.format.parts import LowRank, Part
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.lora.importing.base_layers import LayerKind, skeleton
from tests.pipeline.tiny_models import POCKET


def an_order(folder: Path, name: str, *, outputs: int, inputs: int) -> ExportOrder:
    """For a canonical LoRA of this one layer, all of whose numbers are 0.5; the model that fits comes last."""
    writer = CanonicalWriter(ModelFamily.SDXL)
    writer.add(name, Part(change=LowRank(up=torch.full((outputs, 2), 0.5), down=torch.full((2, inputs), 0.5))))
    writer.save(folder / "own.safetensors")
    return ExportOrder(
        source=folder / "own.safetensors",
        target=folder / "theirs.safetensors",
        layout=LoraLayout.KOHYA,
        family=ModelFamily.SDXL,
        configs=[POCKET],
        title="rex",
        trigger="j dog",
        resolution=128,
    )


async def test_the_file_holds_the_textual_inversion(tmp_path: Path) -> None:
    """In the names of the layout that was asked for."""
    layer = next(one for one in skeleton(POCKET, ModelFamily.SDXL).values() if one.name.endswith("attn1.to_q"))
    assert layer.kind is LayerKind.LINEAR
    order = an_order(tmp_path, layer.name, outputs=layer.outputs, inputs=layer.inputs)

    await export_apart(order)

    tensors = load_file(order.target)
    (up,) = [tensor for name, tensor in tensors.items() if name.endswith(".lora_up.weight")]
    assert (up.shape, float(up.mean())) == ((layer.outputs, 2), 0.5)


async def test_a_model_that_it_was_not_made_for_is_one_sentence(tmp_path: Path) -> None:
    order = an_order(tmp_path, "unet.of_another_model", outputs=4, inputs=4)

    with pytest.raises(UserError, match="The model that this LoRA was made for is no longer served here"):
        await export_apart(order)
