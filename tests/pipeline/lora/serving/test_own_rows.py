"""Served layers against the plain reference in mixed batches, on two bases, and what neighbours do to bits: nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile, part_name
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

    def outputs(self, given: Tensor, uses: dict[tuple[int, ...], Use]) -> tuple[Tensor, ...]:
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

    def merged(self, use: Use) -> Network:
        """The network with the changes in its weights, by the reference."""
        made = Network().to(next(self.plain.parameters()).dtype)
        made.load_state_dict(self.plain.state_dict())
        for key, scale in use:
            file, tensors = LoraFile.open(path := self.folder / f"{key}.safetensors"), load_file(path)
            for name, headers in file.layers.items():
                parts = [read_part(header, part_name(name, place), tensors) for place, header in enumerate(headers)]
                base, layer = (net.get_submodule(name.removeprefix("unet.")) for net in (self.plain, made))
                layer.weight.data += weight_change(parts, base.weight.detach(), scale, file.scale_rule)
                layer.bias.data += bias_change(parts, base.bias.detach(), scale)
        return made


def parts_for(kind: str, shape: tuple[int, ...]) -> list[Part]:
    if kind == "gain of outputs and biases":
        return [Part(change=Stretch(gain=weights(shape[0], strength=STRENGTH), axis=Axis.BOTH))]
    return [KINDS[kind](shape)]


ALL = (*KINDS, "gain of outputs and biases", "two parts")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of each kind for all layers, one of two kinds together, and one by another rule."""
    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("kinds")
    shapes = {name: tuple(Network().get_submodule(name).weight.shape) for name in LAYERS}
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
        writer.save(made / f"{kind}.safetensors")
    return made


def mixed_batches() -> Iterator[dict[tuple[int, ...], Use]]:
    """Every kind alone and in a sum, beside a request without LoRAs; rows of a request need not be neighbours."""
    for first, second in zip(ALL[::2], (*ALL[1::2], ALL[0]), strict=True):
        yield {(0, 4): (), (1,): ((first, 0.7),), (2, 3): ((first, 1.0), (second, -0.4)), (5, 7): ((second, 1.3),)}


def worst_error(served: Served, given: Tensor, uses: dict[tuple[int, ...], Use]) -> float:
    """Relative to what the LoRAs change, not to the output; over all rows and layers."""
    ours, worst = served.outputs(given, uses), 0.0
    for rows, use in uses.items():
        own = given[list(rows)]
        with torch.inference_mode():
            base, theirs = served.plain(own), served.merged(use)(own)
        for mine, plain, wanted in zip(ours, base, theirs, strict=True):
            if not use:
                assert torch.allclose(mine[list(rows)], plain, rtol=1e-12, atol=1e-12)
                continue
            worst = max(worst, float((mine[list(rows)] - wanted).norm() / (wanted - plain).norm()))
    return worst


@pytest.mark.parametrize("seed", [0, 1], ids=["base", "second base"])
def test_rows_in_mixed_batches_are_exact(folder: Path, seed: int) -> None:
    """To 1e-6 of the change, on whatever base is served; what depends on it is measured there."""
    served = Served(folder, seed=seed)
    given = torch.randn(ROWS, 5, 640, dtype=torch.float64)
    for uses in mixed_batches():
        assert worst_error(served, given, uses) < 1e-6, uses


def test_no_neighbour_changes_a_bit(folder: Path) -> None:
    """In float32: whoever else is there, wherever its rows are, and where all others are not a number."""
    served = Served(folder, dtype=torch.float32)
    given = torch.randn(ROWS, 5, 640)
    for kind, other in zip(ALL, (*ALL[5:], *ALL[:5]), strict=True):
        own: Use = ((kind, 0.8),)
        alone = served.outputs(given, {(0, 1): own})
        spoilt = torch.full_like(given, float("nan"))
        spoilt[[3, 6]] = given[:2]

        crowd = served.outputs(given, {(0, 1): own, (2, 3): ((other, 1.0),), (4,): (), (5, 7): own})
        moved = served.outputs(spoilt, {(3, 6): own, (0, 1): ((other, 0.5),), (2, 5): ()})

        for first, second, third in zip(alone, crowd, moved, strict=True):
            assert torch.equal(first[:2], second[:2]), kind
            assert torch.equal(first[:2], third[[3, 6]]), kind


def test_the_order_of_loras_changes_no_bit(folder: Path) -> None:
    served = Served(folder, dtype=torch.float32)
    given, use = torch.randn(ROWS, 5, 640), (("dora", 0.5), ("kron", 1.2), ("low rank", -0.3))

    orders = [served.outputs(given, {(0,): own}) for own in (use, use[::-1])]

    assert all(torch.equal(*pair) for pair in zip(*orders, strict=True))


def test_what_was_evicted_returns_the_same_and_leaves_nothing(folder: Path) -> None:
    """In its own bytes: the device's memory is bounded by them."""
    served = Served(folder, dtype=torch.float32, budget=0)
    given, use = torch.randn(ROWS, 5, 640), (("dora over hada, of columns", 0.5),)
    before = served.outputs(given, {(0, 1): use})
    (adapter,) = served.pool._adapters.values()
    assert adapter.arena is not None
    assert served.pool.size == adapter.size + served.pool.scratch.size
    served.release()

    served.outputs(given, {(0, 1): (("kron", 1.0),)})
    served.release()

    assert served.pool.resident == ("kron",)
    assert not adapter.arena.arena.bytes.any()
    assert all(torch.equal(*pair) for pair in zip(before, served.outputs(given, {(0, 1): use}), strict=True))


def test_a_request_that_leaves_takes_its_own_weights_along(folder: Path) -> None:
    """The scratch is wiped, and its rows are zeros."""
    served = Served(folder, dtype=torch.float32)
    given = torch.randn(ROWS, 5, 640)
    stack = RowStack(served.pool, "unet", rows=ROWS, pages=4, own=True)
    stack.put((0, 1), served.scaled((("dora", 1.0),)))
    stack.put((2, 3), ())
    with torch.inference_mode(), stack.applied():
        before = served.network(given)
    assert any(slot.any() for slot in served.pool.scratch._slots.values())
    together = stack.signature

    stack.clear((0, 1))
    with torch.inference_mode(), stack.applied():
        after = served.network(given)

    assert not any(slot.any() for slot in served.pool.scratch._slots.values())
    assert stack.signature != together
    assert before[0][:2].any()
    assert not after[0][:2].any()
    assert torch.equal(before[0][2:4], after[0][2:4])


def rank_of_many(count: int) -> Sequence[str]:
    return [f"low rank {number}" for number in range(count)]


def test_many_small_loras_together_run_on_own_weights(folder: Path, tmp_path: Path) -> None:
    """From their pages, which no other row then has to have room for."""
    torch.manual_seed(0)
    for number, key in enumerate(rank_of_many(6)):
        writer = CanonicalWriter(ModelFamily.SDXL)
        writer.add("unet.narrow", KINDS["low rank"]((1280, 640)))
        writer.add(
            "unet.conv" if number % 2 else "unet.wide",
            KINDS["low rank"]((32, 640, 3, 3) if number % 2 else (640, 1280)),
        )
        writer.save(tmp_path / f"{key}.safetensors")
    served = Served(tmp_path)
    use = tuple((key, 0.5) for key in rank_of_many(6))

    assert not any(part.adapter.parts for part in served.scaled(use))
    assert worst_error(served, torch.randn(ROWS, 5, 640, dtype=torch.float64), {(0, 2): use, (1,): ()}) < 1e-6
