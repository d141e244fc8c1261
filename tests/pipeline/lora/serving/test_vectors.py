"""What LoRAs do to norms and biases, row by row, and what is left of it on the device."""

from pathlib import Path

import torch
from torch import nn

from pipeline.lora.serving.adapter_pool import AdapterPool, ScaledAdapter
from pipeline.lora.serving.layers import adapt
from pipeline.lora.serving.pages import LoraPages, load_pages
from pipeline.lora.serving.row_stack import RowStack
from tests.pipeline.lora.serving.test_adapter_pool import CPU, lora, write


class Normed(nn.Module):
    """A norm and a layer of each kind; the Linear is without a bias of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.group, self.conv = nn.GroupNorm(2, 6), nn.Conv2d(6, 6, 1)
        self.layer, self.linear = nn.LayerNorm(6), nn.Linear(6, 6, bias=False)
        for parameter in self.parameters():
            nn.init.normal_(parameter)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(rows, 6, height, width) to (rows, height times width, 6)."""
        tokens = self.conv(self.group(images)).flatten(2).transpose(1, 2)
        mixed: torch.Tensor = self.linear(self.layer(tokens))
        return mixed


def vectors(*names: str) -> dict[str, torch.Tensor]:
    return {f"unet.{name}": torch.randn(6) for name in names}


def test_each_row_gets_its_own_norms_and_biases(tmp_path: Path) -> None:
    """To the last digits of float64 the layers with other weights; scales are linear; a row without keeps its bits."""
    torch.manual_seed(0)
    plain, network = Normed().double(), Normed().double()
    network.load_state_dict(plain.state_dict())
    pool = AdapterPool({"unet": adapt(network)}, CPU, torch.float64, budget=10**9)
    files = {
        "a": vectors("group.gain", "group.bias", "layer.gain", "linear.bias"),
        "b": vectors("conv.bias", "layer.bias", "layer.gain") | lora("linear", 4),
    }
    adapters = {}
    for key, tensors in files.items():
        pages = load_pages(write(tmp_path / key, tensors), pool.networks, torch.float64, pin=False)
        adapter = pool.acquire(key, pages)
        assert adapter is not None
        adapters[key] = adapter
    uses: list[dict[str, float]] = [{"a": 1.0}, {}, {"b": -0.5, "a": 2.0}, {"b": 1.5}]
    parts = [[ScaledAdapter(adapter=adapters[key], scale=scale) for key, scale in use.items()] for use in uses]
    stack = RowStack(pool, "unet", rows=4, pages=1)
    stack.put([0, 1, 2, 3], parts[2])
    for row, own in enumerate(parts):
        stack.put([row], own)
    images = torch.randn(4, 6, 5, 5).double()

    with torch.inference_mode(), stack.applied():
        ours = network(images)
    with torch.inference_mode():
        assert torch.equal(network(images), plain(images))
        assert torch.equal(ours[1], plain(images)[1])

    for row, use in enumerate(uses):
        changed = Normed().double()
        changed.load_state_dict(plain.state_dict())
        changed.linear.bias = nn.Parameter(torch.zeros(6).double())
        for key, scale in use.items():
            tensors = {name.removeprefix("unet."): tensor.double() for name, tensor in files[key].items()}
            for name, vector in tensors.items():
                layer, _, side = name.rpartition(".")
                if side in {"gain", "bias"}:
                    getattr(changed.get_submodule(layer), "bias" if side == "bias" else "weight").data += scale * vector
            if "linear.0.up" in tensors:
                changed.linear.weight.data += scale * tensors["linear.0.up"] @ tensors["linear.0.down"]
        with torch.inference_mode():
            torch.testing.assert_close(ours[row], changed(images[row : row + 1])[0], rtol=1e-12, atol=1e-12)


def test_vectors_count_in_the_budget_and_are_wiped(tmp_path: Path) -> None:
    """What leaves the device leaves nothing behind, and the copy on the host stays whole."""
    pool = AdapterPool({"unet": adapt(Normed())}, CPU, torch.float32, budget=0)
    tensors = vectors("group.gain")
    pages = load_pages(write(tmp_path / "a", tensors), pool.networks, torch.float32, pin=False)
    adapter = pool.acquire("a", pages)
    assert adapter is not None
    assert adapter.size == pages.size == 4 * 6 * 6

    pool.release(adapter)
    pool.acquire("b", LoraPages(banks={}))

    assert pool.resident == ("b",)
    assert not adapter.vectors["unet"].values.any()
    assert pages.vectors["unet"].values.any()


def test_what_rows_copy_of_vectors_counts_in_the_budget(tmp_path: Path) -> None:
    """Beside the pages of low rank: a batch that takes as many rows as it may stays within the budget."""
    network = Normed()
    budget = 100_000
    pool = AdapterPool({"unet": adapt(network)}, CPU, torch.float32, budget=budget)
    path = write(tmp_path / "a", vectors("group.gain", "conv.bias") | lora("linear", 4))
    adapter = pool.acquire("a", load_pages(path, pool.networks, torch.float32, pin=False))
    assert adapter is not None

    stack = RowStack(pool, "unet", rows=pool.page_rows, pages=1)
    stack.put([0], [ScaledAdapter(adapter=adapter, scale=1.0)])

    assert stack._vectors is not None
    held = stack._vectors.values.nbytes + sum(own.down.nbytes + own.up.nbytes for own in stack._weights.values())
    assert 0.9 * budget < held <= budget
