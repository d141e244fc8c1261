"""LoRAs on their way: disk, host, device pages; who is let in, who is put out, what is left behind."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from safetensors.torch import save_file
from torch import nn

from pipeline.engine.engine import Engine
from pipeline.errors import UserError
from pipeline.lora.serving.adapter_pool import Adapter, AdapterPool, RowStack, ScaledAdapter, pages_needed
from pipeline.lora.serving.cache import LoraCache
from pipeline.lora.serving.layers import adapt
from pipeline.lora.serving.pages import BankPages, LoraPages, load_pages
from pipeline.requests.device_messages import Refused, Rendered
from pipeline.requests.image_request import LoraUse
from tests.pipeline.conftest import SPEC, a_request
from tests.tiers import examples

METADATA = {"format": "limner-lora", "version": "1", "family": "sdxl"}
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
    return {f"unet.{name}.down": down, f"unet.{name}.up": up}


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
                if f"unet.{name}.down" in files[key]:
                    weight = changed.get_parameter(f"{name}.weight")
                    change = files[key][f"unet.{name}.up"] @ files[key][f"unet.{name}.down"].flatten(1)
                    weight.data += scale * change.view(weight.shape)
        with torch.inference_mode():
            torch.testing.assert_close(ours[0][row], changed.second(changed.first(vectors[row])), rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(ours[1][row], changed.conv(images[row]), rtol=1e-5, atol=1e-5)
    with torch.inference_mode():
        assert torch.equal(network.first(vectors), plain.first(vectors))


WORD = {f"{network}.word.0": torch.zeros(1, 6) for network in ("text_encoder", "text_encoder_2")}


@pytest.mark.parametrize(
    ("tensors", "metadata", "sentence"),
    [
        (lora("first", 4), {"format": "kohya"}, "not a LoRA in Limner's form"),
        (lora("first", 4), {"version": "4"}, "not a LoRA in Limner's form"),
        (lora("first", 4), {"version": "3"}, "damaged"),
        ({"unet.first.bias": torch.zeros(6)}, {}, "damaged"),
        ({"unet.first.bias": torch.zeros(6, 1)}, {"version": "3"}, "damaged"),
        ({"unet.first.bias": torch.zeros(7)}, {"version": "3"}, "another model: 1 of the norms and biases"),
        ({"unet.first.gain": torch.zeros(6)}, {"version": "3"}, "another model: 1 of the norms and biases"),
        (lora("first", 4), {"version": "2"}, "damaged"),
        (lora("first", 4), {"version": "2", "words": '["cat"]'}, "damaged"),
        (lora("first", 4), {"version": "2", "words": "5"}, "damaged"),
        (WORD, {"words": '["cat"]'}, "damaged"),
        (WORD, {"version": "2", "words": '["cat", "dog"]'}, "damaged"),
        (WORD, {"version": "2", "words": '["cat"]'}, "made for another model: the word 'cat' does not fit"),
        (lora("first", 4), {"family": "flux"}, "damaged"),
        (lora("third", 4), {}, "made for another model: 1 of its 1 layers do not fit"),
        (lora("first", 4, out=7), {}, "made for another model"),
        (lora("conv", 4, out=5, width=(3, 1, 1)), {}, "made for another model"),
        ({"unet.first.down": torch.zeros(4, 6)}, {}, "damaged"),
        ({"unet.first.dense": torch.zeros(6, 6)}, {}, "damaged"),
        (lora("first", 257), {}, "damaged"),
        ({"unet.first.down": torch.zeros(2, 6), "unet.first.up": torch.zeros(6, 3)}, {}, "damaged"),
    ],
)
def test_a_wrong_file_is_one_sentence(
    network: Network, tmp_path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str], sentence: str
) -> None:
    """Never applied in part."""
    path = write(tmp_path / "x.safetensors", tensors, **metadata)

    with pytest.raises(UserError, match=sentence):
        load_pages(path, {"unet": adapt(network)}, torch.float32, pin=False)


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
    """While another's is pinned they wait; else nobody would ever end that request."""
    pool = AdapterPool({"unet": adapt(Network())}, CPU, torch.float32, budget=8 * PAGE_BYTES)
    other, first = pool.acquire("other", some_pages(1)), pool.acquire("first", some_pages(5))
    assert other is not None
    assert first is not None

    assert pool.acquire("second", some_pages(6), [first]) is None
    pool.release(other)

    assert pool.acquire("second", some_pages(6), [first]) is not None
    assert pool.resident == ("first", "second")


Residents.TestCase.settings = settings(max_examples=examples(25), stateful_step_count=20)
TestResidents = Residents.TestCase


@pytest.fixture
def gate() -> Event:
    return Event()


@pytest.fixture
def cache(gate: Event) -> Iterator[LoraCache]:
    def load(key: str) -> LoraPages:
        gate.wait()
        if key == "bad":
            raise UserError("no such file")
        return some_pages(1)

    made = LoraCache(load, budget=2 * PAGE_BYTES)
    yield made
    gate.set()
    made.close()


def test_nobody_waits_for_a_disk(cache: LoraCache, gate: Event) -> None:
    """A LoRA on its way is None; once it is here, it is here at once."""
    cache.want("a")
    assert cache.take("a", 0) is None
    gate.set()

    assert cache.take("a", 10) is cache.take("a", 0) is not None


def test_host_memory_is_bounded(cache: LoraCache, gate: Event) -> None:
    """By the least recently used."""
    gate.set()
    for key in ("a", "b", "a", "c"):
        assert cache.take(key, 10) is not None

    assert cache.size == 2 * PAGE_BYTES
    assert list(cache._loras) == ["a", "c"]


def test_loading_ahead_keeps_within_the_bound_too(cache: LoraCache, gate: Event) -> None:
    """What was used goes before what somebody still waits for, and then who has waited longest."""
    gate.set()
    cache.take("used", 10)
    for key in ("a", "b", "c"):
        cache.want(key)
    cache._loader.shutdown(wait=True)

    assert set(cache._loras) == {"b", "c"}
    assert cache.size == 2 * PAGE_BYTES


def test_what_is_needed_together_stays_together(cache: LoraCache, gate: Event) -> None:
    """However much more than the bound it is; or one would put the other away, in turn, and nobody would get both."""
    gate.set()
    cache.hold("abc")
    for key in "abc":
        cache.take(key, 10)
    assert all(cache.take(key, 0) for key in "abc")

    cache.hold("d")
    cache.take("d", 10)

    assert cache.size == 2 * PAGE_BYTES


def test_who_waits_for_several_first_is_not_put_off_by_who_comes_later(cache: LoraCache, gate: Event) -> None:
    """The later one's are held once all of the first one's are here."""
    cache.hold("abc")
    for key in "abc":
        cache.want(key)
    cache.hold("def")
    gate.set()
    for key in "defabc":
        cache.take(key, 10)

    assert all(cache.take(key, 0) for key in "abc")


def test_what_cannot_be_loaded_is_tried_again(cache: LoraCache, gate: Event) -> None:
    """The file may be there by then."""
    gate.set()
    with ThreadPoolExecutor(1):
        for _ in range(2):
            with pytest.raises(UserError, match="no such file"):
                cache.take("bad", 10)

    assert cache.size == 0


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
