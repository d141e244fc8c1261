"""LoRAs in the device's pages: which are let in, which are evicted, what is left behind."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from safetensors.torch import save_file
from torch import nn

from pipeline.engine.engine import Engine
from pipeline.lora.serving.adapter_pool import Adapter, AdapterPool, ScaledAdapter, pages_needed
from pipeline.lora.serving.layers import adapt
from pipeline.lora.serving.loader import LoraLibrary
from pipeline.lora.serving.pages import BankPages, LoraPages, load_pages
from pipeline.lora.serving.row_stack import RowStack
from pipeline.requests.device_messages import Refused, Rendered
from pipeline.requests.image_request import LoraUse
from tests.pipeline.conftest import SPEC, a_request
from tests.tiers import examples

METADATA = {"format": "limner-lora", "version": "1", "family": "sdxl", "scale_rule": "linear"}
CPU = torch.device("cpu")


class Network(nn.Module):
    """Two layers of one shape and a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.conv = nn.Conv2d(3, 5, 3, padding=1)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network()


def write(path: Path, tensors: dict[str, torch.Tensor], **metadata: str) -> Path:
    save_file(tensors, path, metadata={**METADATA, **metadata})
    return path


def halves(rank: int, out: int = 6, width: tuple[int, ...] = (6,)) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rank, *width), torch.randn(out, rank)


def lora(name: str, rank: int, out: int = 6, width: tuple[int, ...] = (6,)) -> dict[str, torch.Tensor]:
    down, up = halves(rank, out, width)
    return {f"unet.{name}.0.down": down, f"unet.{name}.0.up": up}


def test_a_lora_that_does_not_fit_leaves_nothing_behind(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When memory runs out in its midst, its pages are free again, for others."""
    networks = {"unet": adapt(network)}
    conv = lora("conv", 4, out=5, width=(3, 3, 3))
    path = write(tmp_path / "a.safetensors", lora("first", 4) | conv)
    pages = load_pages(path, networks, torch.float32, pin=False)
    assert len(pages.banks) == 2
    pool = AdapterPool(networks, CPU, torch.float32, budget=10**9)
    last = pool.pool(list(pages.banks)[-1])

    def full(_: BankPages, most: int) -> tuple[int, ...]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(last, "store", full)
        with pytest.raises(torch.OutOfMemoryError):
            pool.acquire("a", pages)

    assert pool.resident == ()
    first = pool.pool(next(iter(pages.banks)))
    assert len(first._free) + 1 == len(first.down)
    assert pool.acquire("a", pages) is not None


def test_each_row_gets_its_own_sum_of_loras(network: Network, tmp_path: Path) -> None:
    """Against the same change made to the weights, for ranks over several pages, scales, and a row without any."""
    plain = Network()
    plain.load_state_dict(network.state_dict())
    pool = AdapterPool({"unet": adapt(network)}, CPU, torch.float32, budget=10**9)
    files = {
        "a": lora("first", 20) | lora("conv", 3, out=5, width=(3, 3, 3)),
        "b": lora("first", 4) | lora("second", 17),
    }
    adapters = {}
    for key, tensors in files.items():
        pages = load_pages(write(tmp_path / key, tensors), pool.networks, torch.float32, pin=False)
        adapter = pool.acquire(key, pages)
        assert adapter is not None
        adapters[key] = adapter
    uses: list[dict[str, float]] = [{"a": 1.0}, {}, {"b": -0.5, "a": 2.0}]
    parts = [[ScaledAdapter(adapter=adapters[key], scale=scale) for key, scale in use.items()] for use in uses]
    stack = RowStack(pool, "unet", rows=3, pages=max(pages_needed(own, "unet") for own in parts))
    for row, own in enumerate(parts):
        stack.put([row], own)
    vectors, images = torch.randn(3, 4, 6), torch.randn(3, 3, 8, 8)

    with torch.inference_mode(), stack.applied():
        ours = network.second(network.first(vectors)), network.conv(images)

    for row, use in enumerate(uses):
        changed = Network()
        changed.load_state_dict(plain.state_dict())
        for key, scale in use.items():
            for name in ("first", "second", "conv"):
                if f"unet.{name}.0.down" in files[key]:
                    weight = changed.get_parameter(f"{name}.weight")
                    change = files[key][f"unet.{name}.0.up"] @ files[key][f"unet.{name}.0.down"].flatten(1)
                    weight.data += scale * change.view(weight.shape)
        with torch.inference_mode():
            torch.testing.assert_close(ours[0][row], changed.second(changed.first(vectors[row])), rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(ours[1][row], changed.conv(images[row]), rtol=1e-5, atol=1e-5)
    with torch.inference_mode():
        assert torch.equal(network.first(vectors), plain.first(vectors))


def some_pages(count: int) -> LoraPages:
    """So many pages of ones for the bank of `first` and `second`."""
    down, up = torch.ones(count, 2, 6, 16), torch.ones(count, 2, 16, 6)
    return LoraPages(banks={("unet", 0): BankPages(down=down, up=up, used=frozenset({0}))})


PAGE_BYTES = some_pages(1).size


class Residents(RuleBasedStateMachine):
    """Random arrivals and departures at a pool of eight pages."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = AdapterPool({"unet": adapt(Network())}, CPU, torch.float32, budget=8 * PAGE_BYTES)
        self.held: list[Adapter] = []

    @rule(key=st.sampled_from("abcdef"))
    def acquire(self, key: str) -> None:
        pages = some_pages("abcdef".index(key) + 1)
        pinned = sum(adapter.size for adapter in {id(held): held for held in self.held}.values())
        adapter = self.pool.acquire(key, pages)
        if adapter is None:
            assert pinned + pages.size > 8 * PAGE_BYTES
        else:
            self.held.append(adapter)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.pool.release(self.held.pop(data.draw(st.integers(0, len(self.held) - 1))))

    @invariant()
    def pinned_ones_stay_and_the_budget_holds(self) -> None:
        assert self.pool.size <= 8 * PAGE_BYTES
        assert {adapter.key for adapter in self.held} <= set(self.pool.resident)

    @invariant()
    def pages_hold_what_they_should_and_nothing_else(self) -> None:
        pages = self.pool.pool(("unet", 0))
        taken = [page for adapter in self.pool._adapters.values() for page in adapter.pages["unet", 0]]
        assert len(set(taken)) == len(taken)
        assert 0 not in taken
        free = [page for page in range(pages.down.shape[0]) if page not in taken]
        assert not pages.down[free].any()
        assert not pages.up[free].any()
        assert bool(pages.down[taken].all())
        assert pages.down.shape[0] <= 33


def test_one_request_s_loras_are_let_in_beyond_the_budget_once_they_are_alone() -> None:
    """While another's is pinned they wait; after that they are let in, or the request would never end."""
    pool = AdapterPool({"unet": adapt(Network())}, CPU, torch.float32, budget=8 * PAGE_BYTES)
    other, first = pool.acquire("other", some_pages(1)), pool.acquire("first", some_pages(5))
    assert other is not None
    assert first is not None

    assert pool.acquire("second", some_pages(6), [first]) is None
    pool.release(other)

    assert pool.acquire("second", some_pages(6), [first]) is not None
    assert pool.resident == ("first", "second")


def test_what_rows_and_pools_take_is_within_the_budget(network: Network, tmp_path: Path) -> None:
    """The pools hold what was needed at once, and so many rows of so many pages as are allowed take no more."""
    budget = 200_000
    pool = AdapterPool({"unet": adapt(network)}, CPU, torch.float32, budget)
    file = write(tmp_path / "a", lora("first", 20) | lora("conv", 3, out=5, width=(3, 3, 3)))
    pages = load_pages(file, pool.networks, torch.float32, pin=False)
    for number in range(100):
        adapter = pool.acquire(str(number), pages)
        assert adapter is not None
        pool.release(adapter)
    stack = RowStack(pool, "unet", rows=pool.page_rows // 2, pages=2)
    gathered = sum(down.nbytes + up.nbytes for down, up in stack.reserve(range(2)))

    assert len(pool.resident) > 1
    assert sum(own.down.nbytes + own.up.nbytes for own in pool._pools.values()) < 2 * budget
    assert budget / 2 < gathered <= budget


Residents.TestCase.settings = settings(max_examples=examples(25), stateful_step_count=20)
TestResidents = Residents.TestCase


def test_a_lora_that_cannot_be_had_refuses_its_request_alone(tmp_path: Path) -> None:
    """By its name, in one sentence; files beyond the folder are out of reach."""
    engine = Engine(replace(SPEC, loras=tmp_path))
    shutil.copy(Path(__file__), tmp_path / "broken.safetensors")
    engine.admit("good", a_request(steps=1))
    for key in ("missing", "broken", "../conftest"):
        engine.admit(key, a_request(steps=1, loras=(LoraUse(key=key, name="pixel"),)))
    events = []
    while not engine.idle:
        events += engine.step()

    refused = {event.ticket: event.sentence for event in events if isinstance(event, Refused)}
    assert refused.keys() == {"missing", "broken", "../conftest"}
    assert all(sentence.startswith("LoRA 'pixel' cannot be used: ") for sentence in refused.values())
    assert [event.ticket for event in events if isinstance(event, Rendered)] == ["good"]


def test_a_lora_that_there_is_no_memory_for_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name, whether the host or the device is full; its neighbours are drawn."""

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes")

    monkeypatch.setattr(LoraLibrary, "_load", full)
    engine = Engine(SPEC)
    engine.admit("good", a_request(steps=1))
    engine.admit("bad", a_request(steps=1, loras=(LoraUse(key="a", name="pixel"),)))
    events = []
    while not engine.idle:
        events += engine.step()

    assert [event.sentence for event in events if isinstance(event, Refused)] == [
        "There is not enough memory to load LoRA 'pixel'; use fewer LoRAs or a smaller one, or try again later."
    ]
    assert [event.ticket for event in events if isinstance(event, Rendered)] == ["good"]
