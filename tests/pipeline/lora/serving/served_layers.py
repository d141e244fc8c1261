"""A network of a few layers as wide as SDXL's, served with LoRAs of every kind."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.part_header import part_name
from pipeline.lora.format.parts import Axis, Part, Stretch, read_part
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import bias_change, weight_change
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.lora.serving.adapter_pool import AdapterPool, ScaledAdapter
from pipeline.lora.serving.layers import adapt
from pipeline.lora.serving.pages import load_pages
from pipeline.lora.serving.row_stack import RowStack
from tests.pipeline.lora.serving.random_parts import KINDS, STRENGTH, weights

CPU = torch.device("cpu")
ROWS = 8
LAYERS = ("narrow", "wide", "conv", "grouped")
Use = tuple[tuple[str, float], ...]


class Network(nn.Module):
    """Layers as wide as SDXL's, a strided convolution, and one that is grouped and dilated."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide = nn.Linear(640, 1280), nn.Linear(1280, 640)
        self.conv = nn.Conv2d(640, 32, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(32, 32, 3, padding=2, dilation=2, groups=4)

    def forward(self, given: Tensor) -> tuple[Tensor, ...]:
        """(rows, 5, 640) to the output of each layer."""
        narrow = self.narrow(given)
        wide = self.wide(narrow)
        conv = self.conv(wide.transpose(1, 2)[..., None].expand(-1, -1, -1, 3))
        return narrow, wide, conv, self.grouped(conv)


class Served:
    """A network with a library of every kind, one file each, and what it is without."""

    def __init__(self, folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float64, budget: int = 10**9) -> None:
        torch.manual_seed(seed)
        self.folder = folder
        self.plain, self.network = Network().to(dtype), Network().to(dtype)
        self.network.load_state_dict(self.plain.state_dict())
        self.pool = AdapterPool({"unet": adapt(self.network)}, CPU, dtype, budget)

    def scaled(self, use: Use) -> list[ScaledAdapter]:
        parts = []
        for key, scale in use:
            path = self.folder / f"{key}.safetensors"
            loaded = load_pages(path, self.pool.networks, next(self.plain.parameters()).dtype, pin=False)
            adapter = self.pool.acquire(key, loaded)
            assert adapter is not None
            parts.append(ScaledAdapter(adapter=adapter, scale=scale))
        return parts

    def outputs(self, given: Tensor, uses: Mapping[tuple[int, ...], Use]) -> tuple[Tensor, ...]:
        """Of each layer, in one batch."""
        stack = RowStack(self.pool, "unet", rows=ROWS, pages=4, own=True)
        for rows, use in uses.items():
            stack.put(rows, self.scaled(use))
        with torch.inference_mode(), stack.applied():
            made: tuple[Tensor, ...] = self.network(given)
        return made

    def release(self) -> None:
        """Unpin everything."""
        for adapter in self.pool._adapters.values():
            adapter.pins = 0

    def merged(self, use: Use, factors: Mapping[str, float] = MappingProxyType({})) -> Network:
        """The network with the changes in its weights, by the reference; `factors` multiply the scales of layers."""
        made = Network().to(next(self.plain.parameters()).dtype)
        made.load_state_dict(self.plain.state_dict())
        for key, whole in use:
            file, tensors = LoraFile.open(path := self.folder / f"{key}.safetensors"), load_file(path)
            for name, headers in file.layers.items():
                parts = [read_part(header, part_name(name, place), tensors) for place, header in enumerate(headers)]
                own = name.removeprefix("unet.")
                scale = whole * factors.get(own, 1.0)
                base = {side: self.plain.get_parameter(f"{own}.{side}").detach() for side in ("weight", "bias")}
                made.get_parameter(f"{own}.weight").data += weight_change(parts, base["weight"], scale, file.scale_rule)
                made.get_parameter(f"{own}.bias").data += bias_change(parts, base["bias"], scale)
        return made


def parts_for(kind: str, shape: tuple[int, ...]) -> list[Part]:
    if kind == "gain of outputs and biases":
        return [Part(change=Stretch(gain=weights(shape[0], strength=STRENGTH), axis=Axis.BOTH))]
    return [KINDS[kind](shape)]


ALL = (*KINDS, "gain of outputs and biases", "two parts")


def save_kinds(folder: Path) -> None:
    """A file of each kind for all layers, one of two kinds together, some by another rule."""
    torch.manual_seed(0)
    shapes = {name: tuple(Network().get_parameter(f"{name}.weight").shape) for name in LAYERS}
    for number, kind in enumerate(ALL):
        rule = ScaleRule.LYCORIS if number % 5 == 4 else ScaleRule.LINEAR
        writer = CanonicalWriter(ModelFamily.SDXL, rule)
        for name, shape in shapes.items():
            for part in (
                [*parts_for("dora", shape), *parts_for("kron", shape)]
                if kind == "two parts"
                else parts_for(kind, shape)
            ):
                writer.add(f"unet.{name}", part)
        writer.save(folder / f"{kind}.safetensors")
