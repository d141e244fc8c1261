"""What an import takes for a LoRA of all of SDXL's UNet, and what the cut to rank 256 would add to it.

`python -m benchmarks.lora import` prints the table: CPU-seconds on one thread, of one layer of each shape times the
number of such layers.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.cost_layers import sdxl_unet
from benchmarks.lora_layers import ALGORITHMS, Shape
from benchmarks.measuring import Row
from pipeline.families.family import ModelFamily
from pipeline.lora.exporting.lycoris_form import lycoris_tensors
from pipeline.lora.format.parts import Part, tensors_of
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.lora.importing.base_layers import BaseLayer, LayerKind
from pipeline.lora.importing.changes import change_of
from pipeline.lora.importing.parts import TensorRole
from pipeline.lora.importing.strength import strength

_RANK = 256


def import_seconds(folder: Path) -> Iterator[Row]:
    """Of each algorithm, against the eigen-decompositions alone that cut a dense change to rank 256."""
    with torch.device("meta"):
        layers = [layer for layer in sdxl_unet().modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    shapes = Counter(tuple(layer.weight.shape) for layer in layers)
    fitting = {shape: count for shape, count in shapes.items() if shape[0] % 32 == 0 and shape[1] % 8 == 0}
    cut = sum(count * _seconds(_cutting(shape)) for shape, count in fitting.items())
    for name in ALGORITHMS:
        seconds = sum(count * _seconds(_importing(name, shape, folder)) for shape, count in fitting.items())
        yield Row(
            workload=f"import for SDXL's UNet: {name}",
            against=f"a cut to rank {_RANK} alone",
            theirs=cut,
            ours=seconds,
        )


def _importing(name: str, shape: Shape, folder: Path) -> Callable[[], None]:
    """Import one layer from half precision: read, checked, written."""
    made = ALGORITHMS[name](shape)
    part = made if isinstance(made, Part) else Part(change=made)
    tensors = {end: tensor.half() for end, tensor in lycoris_tensors((part,), tuple(shape)).items()}
    kind = LayerKind.LINEAR if len(shape) == 2 else LayerKind.CONVOLUTION
    layer = BaseLayer(name="unet.layer", kind=kind, shape=tuple(shape), bias=True)

    def run() -> None:
        writer = CanonicalWriter(ModelFamily.SDXL)
        change = change_of({TensorRole(end): tensor.double() for end, tensor in tensors.items()}, layer)
        for own in change.parts:
            assert all(bool(tensor.float().isfinite().all()) for tensor in tensors_of(own).values())
            assert strength(own, layer) > 0
            writer.add(layer.name, own)
        writer.save(folder / "imported.safetensors")

    return run


def _cutting(shape: Shape) -> Callable[[], object]:
    """Find the best halves of that rank for a dense change (Eckart and Young, 1936), by the smaller Gram matrix."""
    dense = torch.randn(shape, dtype=torch.float64).flatten(1)
    tall = dense.shape[0] > dense.shape[1]

    def run() -> tuple[Tensor, Tensor]:
        _, directions = torch.linalg.eigh(dense.T @ dense if tall else dense @ dense.T)
        kept = directions[:, -_RANK:]
        return (dense @ kept, kept.T) if tall else (kept, kept.T @ dense)

    return run


def _seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began
