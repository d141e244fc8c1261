"""LoRAs in host memory: nobody waits for a disk, and memory is bounded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from pipeline.errors import UserError
from pipeline.lora.serving.cache import LoraCache
from pipeline.lora.serving.pages import LoraPages
from tests.pipeline.lora.serving.test_adapter_pool import PAGE_BYTES, some_pages


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
    """What was used is evicted before what is still waited for, and of that the longest wanted."""
    gate.set()
    cache.take("used", 10)
    for key in ("a", "b", "c"):
        cache.want(key)
    cache._loader.shutdown(wait=True)

    assert set(cache._loras) == {"b", "c"}
    assert cache.size == 2 * PAGE_BYTES


def test_what_is_needed_together_stays_together(cache: LoraCache, gate: Event) -> None:
    """However far beyond the bound; otherwise each would evict the other in turn, and no request would get both."""
    gate.set()
    cache.hold("abc")
    for key in "abc":
        cache.take(key, 10)
    assert all(cache.take(key, 0) for key in "abc")

    cache.hold("d")
    cache.take("d", 10)

    assert cache.size == 2 * PAGE_BYTES


def test_the_first_to_wait_for_several_is_not_delayed_by_a_later_one(cache: LoraCache, gate: Event) -> None:
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
