"""Layers as wide as SDXL's, and what a file of one layer's tensors makes of them once it is imported."""

import copy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.parts import Part, parts_of
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.lora.importing.base_layers import layers_of
from pipeline.lora.importing.changes import change_of
from pipeline.lora.importing.parts import TensorRole

Layer = nn.Linear | nn.Conv2d
LAYERS: dict[str, Layer] = {
    "linear 640": nn.Linear(640, 640, device="meta"),
    "linear 1280": nn.Linear(1280, 1280, bias=False, device="meta"),
    "1x1 1280": nn.Conv2d(1280, 640, 1, device="meta"),
    "3x3 640": nn.Conv2d(640, 320, 3, device="meta"),
}
NAME = "unet.0"
R: dict[str, Any] = {"lora_dim": 16, "alpha": 8.0}
WHOLE: dict[str, Any] = {"lora_dim": 10**6, "full_matrix": True}
DORA = {"weight_decompose": True}
COLUMNS = {"weight_decompose": True, "wd_on_out": False}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "LoRA": ("lora", R),
    "LoRA of rank 128": ("lora", {"lora_dim": 128, "alpha": 48.0}),
    "LoRA, tucker": ("lora", R | {"use_tucker": True}),
    "DoRA, output axis": ("lora", R | DORA),
    "DoRA, input axis": ("lora", R | COLUMNS),
    "LoHa of rank 8": ("loha", {"lora_dim": 8, "alpha": 4.0}),
    "LoHa of rank 32": ("loha", {"lora_dim": 32, "alpha": 4.0}),
    "LoHa of rank 32, tucker": ("loha", {"lora_dim": 32, "alpha": 4.0, "use_tucker": True}),
    "LoHa of rank 32 with DoRA": ("loha", {"lora_dim": 32, "alpha": 4.0} | DORA),
    "LoKr": ("lokr", WHOLE | {"factor": -1}),
    "LoKr, factor 8": ("lokr", WHOLE | {"factor": 8}),
    "LoKr, second factor in halves": ("lokr", {"lora_dim": 16, "alpha": 8.0, "factor": 8}),
    "LoKr, both in halves": ("lokr", {"lora_dim": 8, "alpha": 4.0, "factor": 8, "decompose_both": True}),
    "LoKr with DoRA, output axis": ("lokr", WHOLE | {"factor": 8} | DORA),
    "LoKr with DoRA, input axis": ("lokr", WHOLE | {"factor": 8} | COLUMNS),
    "(IA)^3, output": ("ia3", {}),
    "(IA)^3, input": ("ia3", {"train_on_input": True}),
    "GLoRA": ("glora", R),
    "diag-OFT": ("diag-oft", {"lora_dim": 16}),
    "diag-OFT, held and rescaled": ("diag-oft", {"lora_dim": 16, "constraint": 2**-13, "rescaled": True}),
    "BOFT": ("boft", {"lora_dim": 16}),
    "BOFT, held and rescaled": ("boft", {"lora_dim": 16, "constraint": 2**-13, "rescaled": True}),
}


def seeded(name: str, seed: int = 0) -> Layer:
    """A layer of the list with random weights of the usual size, in float64."""
    layer = copy.deepcopy(LAYERS[name]).to_empty(device="cpu").double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in layer.parameters():
        drawn = torch.randn(parameter.shape, generator=generator) / layer.weight[0].numel() ** 0.5
        parameter.data = drawn.double()
    return layer.requires_grad_(requires_grad=False)


def some_inputs(layer: Layer) -> Tensor:
    shape = (3, layer.in_features) if isinstance(layer, nn.Linear) else (2, layer.in_channels, *layer.kernel_size)
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def stored(tensors: dict[str, Tensor], layer: Layer, folder: Path, rule: ScaleRule = ScaleRule.LINEAR) -> LoraFile:
    """A canonical file of one layer, made from LyCORIS's tensors; it has never seen the layer's weight."""
    shape = layers_of({"unet": nn.Sequential(layer)})[NAME]
    writer = CanonicalWriter(ModelFamily.SDXL, rule)
    for part in change_of({TensorRole(name): tensor for name, tensor in tensors.items()}, shape).parts:
        writer.add(NAME, part)
    writer.save(folder / "x.safetensors")
    return LoraFile.open(folder / "x.safetensors")


def parts_in(file: LoraFile) -> tuple[Part, ...]:
    return parts_of(file.layers[NAME], NAME, load_file(file.path))


def through(weight: Tensor, inputs: Tensor) -> Tensor:
    """What a weight of either shape makes of inputs."""
    return functional.linear(inputs, weight) if weight.ndim == 2 else functional.conv2d(inputs, weight)


def error(ours: Tensor, theirs: Tensor) -> float:
    """Of a change, relative to that change."""
    return float((ours - theirs).norm() / theirs.norm())
