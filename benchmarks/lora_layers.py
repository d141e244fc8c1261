"""LoRAs on layers as large as SDXL's: what a mixed batch costs, and the bytes of each algorithm.

`python -m benchmarks.lora layers` and `… bytes` print the tables. Times are CPU-seconds on one thread, in float32.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.cost_layers import sdxl_unet
from benchmarks.measuring import Cost, Row
from pipeline.families.family import ModelFamily
from pipeline.lora.format.parts import (
    Axis,
    Change,
    Difference,
    Hada,
    Kron,
    LowRank,
    Magnitude,
    Part,
    Stretch,
    Turn,
    tensors_of,
)
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.lora.serving.adapter_pool import AdapterPool, ScaledAdapter
from pipeline.lora.serving.layers import adapt
from pipeline.lora.serving.pages import load_pages
from pipeline.lora.serving.row_stack import RowStack

_CPU = torch.device("cpu")
_ROWS = 8
_TURNS = 3
_OLD_RANK = 256
Shape = Sequence[int]


def low_rank(shape: Shape, rank: int) -> LowRank:
    """A LoRA's halves."""
    return LowRank(down=_drawn(rank, *shape[1:]), up=_drawn(shape[0], rank, strength=0.01))


def dora(shape: Shape) -> Part:
    """A DoRA of rank 16."""
    return Part(change=low_rank(shape, 16), magnitude=Magnitude(norms=torch.rand(shape[0]) + 0.5))


def kron(shape: Shape, factor: int = 8) -> Kron:
    """A LoKr whose first factor has this side."""
    return Kron(first=_drawn(factor, factor), second=_drawn(shape[0] // factor, shape[1] // factor, *shape[2:]))


ALGORITHMS: dict[str, Callable[[Shape], Change | Part]] = {
    "LoRA, rank 16": lambda shape: low_rank(shape, 16),
    "LoRA, rank 128": lambda shape: low_rank(shape, 128),
    "DoRA, rank 16": dora,
    "(IA)^3": lambda shape: Stretch(gain=_drawn(shape[0], strength=0.01), axis=Axis.OUT),
    "OFT, blocks of 32": lambda shape: Turn(blocks=_drawn(1, shape[0] // 32, 32, 32, strength=0.01)),
    "LoKr, factor 8": kron,
    "LoHa, rank 32": lambda shape: Hada(first=low_rank(shape, 32), second=low_rank(shape, 32)),
    "a full difference": lambda shape: Difference(values=_drawn(*shape, strength=0.01)),
}


@dataclass(frozen=True, kw_only=True)
class _Layer:
    name: str
    layer: nn.Linear | nn.Conv2d
    given: tuple[int, ...]


def _layers() -> Iterator[_Layer]:
    yield _Layer(name="640 to 640, 4096 tokens", layer=nn.Linear(640, 640), given=(_ROWS, 4096, 640))
    yield _Layer(name="1280 to 1280, 1024 tokens", layer=nn.Linear(1280, 1280), given=(_ROWS, 1024, 1280))
    yield _Layer(name="5120 to 1280, 1024 tokens", layer=nn.Linear(5120, 1280), given=(_ROWS, 1024, 5120))
    yield _Layer(name="1280 to 10240, 1024 tokens", layer=nn.Linear(1280, 10240), given=(_ROWS, 1024, 1280))
    yield _Layer(name="3x3, 320 at 64x64", layer=nn.Conv2d(320, 320, 3, padding=1), given=(_ROWS, 320, 64, 64))
    yield _Layer(name="3x3, 1280 at 32x32", layer=nn.Conv2d(1280, 1280, 3, padding=1), given=(_ROWS, 1280, 32, 32))


def layer_costs(folder: Path) -> Iterator[Row]:
    """Eight rows of four guided requests against the base alone: mixed on own weights, and low rank in all rows."""
    for each in _layers():
        with torch.inference_mode():
            yield from _layer_rows(each, folder)


def _layer_rows(each: _Layer, folder: Path) -> Iterator[Row]:
    torch.manual_seed(0)
    shape = each.layer.weight.shape
    network = nn.ModuleDict({"layer": each.layer}).requires_grad_(False)
    pool = AdapterPool({"unet": adapt(network)}, _CPU, torch.float32, 2**40)
    names = ("LoRA, rank 16", "DoRA, rank 16", "LoKr, factor 8", "LoHa, rank 32", "OFT, blocks of 32")
    lora, dora_, lokr, loha, oft = (_acquired(pool, name, shape, folder) for name in names)
    mixed = RowStack(pool, "unet", rows=_ROWS, pages=1, own=True)
    for place, own in enumerate(([], [lora], [dora_, lokr], [loha, oft])):
        mixed.put((2 * place, 2 * place + 1), own)
    small = RowStack(pool, "unet", rows=_ROWS, pages=1)
    small.put(range(_ROWS), [lora])
    layer, given = pool.networks["unet"].layers["layer"], torch.randn(each.given)
    if isinstance(each.layer, nn.Conv2d):
        given = given.to(memory_format=torch.channels_last)

    def served(stack: RowStack) -> None:
        with stack.applied():
            layer(given)

    down, up = torch.randn(_ROWS, shape[1:].numel(), _OLD_RANK), torch.randn(_ROWS, _OLD_RANK, shape[0])
    ways: dict[str, Callable[[], object]] = {
        "base": lambda: layer(given),
        "mixed on own weights": lambda: served(mixed),
        "LoRAs of rank 16 in pages": lambda: served(small),
        f"what rank {_OLD_RANK} in pages would cost": lambda: layer.changed(layer(given), given, down, up),
    }
    seconds = _in_turn(ways)
    for way in list(ways)[1:]:
        yield Row(
            workload=f"{each.name}: {way}", against="the base alone", theirs=seconds["base"], ours=seconds[way],
            unit="CPU-s a call", at_most=True,
        )  # fmt: skip


def _acquired(pool: AdapterPool, name: str, shape: Shape, folder: Path) -> ScaledAdapter:
    path = folder / "layer.safetensors"
    writer = CanonicalWriter(ModelFamily.SDXL)
    writer.add("unet.layer", _part(name, shape))
    writer.save(path)
    adapter = pool.acquire(name, load_pages(path, pool.networks, torch.float32, pin=False))
    assert adapter is not None, "there is room for all"
    return ScaledAdapter(adapter=adapter, scale=0.8)


def algorithm_bytes() -> Iterator[Cost]:
    """Of one LoRA for all Linear and Conv2d layers of SDXL's UNet, in half precision; on the host as on the device."""
    shapes = [tuple(layer.weight.shape) for layer in sdxl_unet().modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    fitting = [shape for shape in shapes if shape[0] % 32 == 0 and shape[1] % 8 == 0]
    for name in ALGORITHMS:
        with torch.device("meta"):
            size = sum(_part_bytes(_part(name, shape)) for shape in fitting)
        yield Cost(what=f"SDXL, {name}", value=size / 2**20, unit="MiB")
    old = sum(2 * _OLD_RANK * (shape[0] + torch.Size(shape[1:]).numel()) for shape in fitting)
    yield Cost(what=f"SDXL, any of them in pages of rank {_OLD_RANK}", value=old / 2**20, unit="MiB")
    largest = max(torch.Size(shape).numel() for shape in shapes)
    yield Cost(
        what="SDXL, scratch for own weights (LoHa and DoRA over it: three times)", value=6 * largest / 2**20, unit="MiB"
    )


def _part(name: str, shape: Shape) -> Part:
    made = ALGORITHMS[name](shape)
    return made if isinstance(made, Part) else Part(change=made)


def _part_bytes(part: Part) -> int:
    halves = {side: 2 * tensor.numel() for side, tensor in tensors_of(part).items()}
    precise = {side: 2 * size for side, size in halves.items() if side in {"turn", "magnitude"}}
    # DoRA's norms on the served base, three vectors in float64.
    norms = 0 if part.magnitude is None else 24 * part.magnitude.norms.numel()
    return sum((halves | precise).values()) + norms


def _drawn(*shape: int, strength: float = 1.0) -> Tensor:
    return torch.randn(shape) * strength


def _in_turn(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """CPU-seconds of each way, the median of several turns in which all have theirs."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(_TURNS + 1):
        for way, call in ways.items():
            began = time.process_time()
            call()
            if turn:
                seconds[way].append(time.process_time() - began)
    return {way: median(own) for way, own in seconds.items()}
