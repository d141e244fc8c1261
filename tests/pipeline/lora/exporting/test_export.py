"""What Limner exports is what diffusers loads, and what Limner reads again, in both layouts."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.exporting.export import Exported, export_lora
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.layout import LoraLayout
from pipeline.lora.format.parts import Axis, Difference, LowRank, Magnitude, Part, Stretch, parts_of, tensors_of
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.lora.importing.base_layers import CLIP_WRAPPER, BaseLayer, LayerKind
from pipeline.lora.importing.importer import ImportBase, Upload, import_lora
from tests.pipeline.lora.importing.measuring import base_of, stored_changes

PIPELINES = {"nano": StableDiffusionXLPipeline, "sd15": StableDiffusionPipeline}
FAMILIES = {"nano": ModelFamily.SDXL, "sd15": ModelFamily.SD15}
ABOUT = Exported(title="Rex", trigger="j dog", resolution=64)
RANK = 3


def chosen(base: ImportBase) -> list[BaseLayer]:
    """Attentions, one convolution, and as much of the text encoders as diffusers needs to know their form."""
    layers = [layer for layer in base.layers.values() if layer.kind is not LayerKind.NORM]
    attentive = [one for one in layers if ".attentions." in one.name and one.kind is LayerKind.LINEAR]
    convolution = next(one for one in layers if one.name.endswith("resnets.0.conv1"))
    texts = [
        one
        for one in layers
        if one.name.startswith("text_encoder") and one.name.endswith(("q_proj", "out_proj", "fc1"))
    ]
    return [*attentive[::5], convolution, *texts]


def written(base: ImportBase, path: Path) -> dict[str, Tensor]:
    """A canonical LoRA at `path`, and what it adds to each layer's weight."""
    dice = torch.Generator().manual_seed(0)
    writer = CanonicalWriter(base.family)
    for layer in chosen(base):
        up = torch.randn(layer.outputs, RANK, generator=dice, dtype=torch.float64) * 0.1
        down = torch.randn(RANK, layer.inputs, *layer.kernel, generator=dice, dtype=torch.float64) * 0.1
        writer.add(layer.name, Part(change=LowRank(up=up, down=down)))
    writer.save(path)
    return products(path)


def products(path: Path) -> dict[str, Tensor]:
    """What a file of plain LoRAs adds to each layer."""
    file, tensors = LoraFile.open(path), load_file(path)
    found = {}
    for name, headers in file.layers.items():
        ((_, down), (_, up)) = sorted(tensors_of(parts_of(headers, name, tensors)[0]).items())
        found[name] = torch.tensordot(up.double(), down.double(), dims=1)
    return found


@pytest.mark.parametrize("layout", LoraLayout)
@pytest.mark.parametrize("model", FAMILIES)
def test_diffusers_and_limner_read_it(
    model: str, layout: LoraLayout, model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = model_folder(model)
    base = base_of(folder, FAMILIES[model])
    added = written(base, tmp_path / "own.safetensors")
    target = tmp_path / "theirs.safetensors"
    export_lora(tmp_path / "own.safetensors", base.layers, layout, ABOUT, target)

    pipe = PIPELINES[model].from_pretrained(folder)
    before = {name: weight_of(pipe, name).clone() for name in added}
    pipe.load_lora_weights(load_file(target))
    pipe.fuse_lora(components=[one for one in ("unet", "text_encoder", "text_encoder_2") if hasattr(pipe, one)])
    pipe.unload_lora_weights()
    for name, change in added.items():
        torch.testing.assert_close(
            weight_of(pipe, name).double() - before[name].double(), change, rtol=1e-3, atol=1e-5, msg=name
        )

    report = import_lora(Upload(path=target), base, tmp_path / "again.safetensors")
    assert report.trigger_words == (ABOUT.trigger,)
    again = products(tmp_path / "again.safetensors")
    assert again.keys() == added.keys()
    for name, change in added.items():
        torch.testing.assert_close(again[name], change, rtol=2e-3, atol=1e-5)


def weight_of(pipe: object, name: str) -> Tensor:
    network, _, path = name.partition(".")
    module: nn.Module = getattr(pipe, network)
    names = {own.removeprefix(CLIP_WRAPPER): own for own, _ in module.named_modules()}
    weight = module.get_submodule(names[path]).weight
    assert isinstance(weight, Tensor)
    return weight.detach()


def test_diffusers_reads_a_dora(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """On the output axis, as PEFT has it; from kohya's layout it misreads any, LyCORIS's own included."""
    folder = model_folder("sd15")
    base = base_of(folder, ModelFamily.SD15)
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    layers = [layer for layer in chosen(base) if layer.kind is LayerKind.LINEAR and layer.name.startswith("unet.")]
    before = {layer.name: weight_of(pipe, layer.name).double() for layer in layers}
    dice, writer = torch.Generator().manual_seed(0), CanonicalWriter(base.family)
    for layer in layers:
        up = torch.randn(layer.outputs, RANK, generator=dice) * 0.1
        halves = LowRank(up=up, down=torch.randn(RANK, layer.inputs, generator=dice) * 0.1)
        norms = before[layer.name].norm(dim=1) * (1 + 0.2 * torch.rand(layer.outputs, generator=dice))
        writer.add(layer.name, Part(change=halves, magnitude=Magnitude(norms=norms)))
    writer.save(tmp_path / "own.safetensors")
    wanted = stored_changes(tmp_path / "own.safetensors", before, ScaleRule.LINEAR)

    export_lora(tmp_path / "own.safetensors", base.layers, LoraLayout.DIFFUSERS, ABOUT, tmp_path / "theirs.safetensors")

    pipe.load_lora_weights(load_file(tmp_path / "theirs.safetensors"))
    pipe.fuse_lora(components=["unet"])
    pipe.unload_lora_weights()
    for name, change in wanted.items():
        torch.testing.assert_close(weight_of(pipe, name).double() - before[name], change, rtol=1e-3, atol=1e-5)


def test_what_is_exported_comes_back_whole(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """Norms, biases, words, and layers of several kinds; diffusers' layout has no form for them."""
    base = base_of(model_folder("nano"), ModelFamily.SDXL)
    norm = next(layer for layer in base.layers.values() if layer.kind is LayerKind.NORM)
    linear, convolution = (
        next(layer for layer in base.layers.values() if layer.kind is kind and ".resnets.0." in layer.name)
        for kind in (LayerKind.LINEAR, LayerKind.CONVOLUTION)
    )
    writer = CanonicalWriter(base.family)
    writer.add(linear.name, Part(change=Stretch(gain=torch.linspace(-1, 1, linear.outputs), axis=Axis.OUT)))
    writer.add(convolution.name, Part(change=Difference(values=torch.ones(convolution.shape) / 64)))
    for name in (f"{norm.name}.gain", f"{norm.name}.bias"):
        writer.add_vector(name, torch.linspace(0, 1, norm.outputs))
    writer.add_vector(f"{linear.name}.bias", torch.linspace(1, 2, linear.outputs))
    writer.add_word("cat", {encoder: torch.ones(2, 32) for encoder in ("text_encoder", "text_encoder_2")})
    writer.save(own := tmp_path / "own.safetensors")

    export_lora(own, base.layers, LoraLayout.KOHYA, ABOUT, tmp_path / "theirs.safetensors")
    import_lora(Upload(path=tmp_path / "theirs.safetensors"), base, tmp_path / "again.safetensors")

    first, second = load_file(own), load_file(tmp_path / "again.safetensors")
    assert first.keys() == second.keys()
    assert LoraFile.open(tmp_path / "again.safetensors").words == ("cat",)
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(UserError, match="export it in kohya's layout"):
        export_lora(own, base.layers, LoraLayout.DIFFUSERS, ABOUT, tmp_path / "none.safetensors")
    assert not (tmp_path / "none.safetensors").exists()
