"""LoRAs on the device, and what each row of a batch takes from their pages."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import torch

from pipeline.lora.format.block_scales import scale_in
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.serving.lora_parts import Layers, LoraParts
from pipeline.lora.serving.merged_weights import MergedWeights
from pipeline.lora.serving.page_pool import PagePool
from pipeline.lora.serving.pages import MOST_PAGES, LoraPages, Networks
from pipeline.lora.serving.scratch import Scratch
from pipeline.lora.serving.vectors import Vectors
from pipeline.models.textual_inversion import TextualInversion


@dataclass(slots=True, kw_only=True)
class Adapter:
    """A LoRA on the device.

    `pages` are its page numbers by network and bank, `used` the places of the layers that it changes there; `parts` are
    views of `arena`, for the networks that it has no pages in, and `rule` is what they do at other scales than 1;
    `size` is the bytes of all; `vectors` by network are added to norms and biases, `words` are its textual inversions;
    `pins` counts the requests that use it.
    """

    key: str
    pages: Mapping[tuple[str, int], tuple[int, ...]]
    used: Mapping[tuple[str, int], frozenset[int]]
    size: int
    arena: LoraParts | None = None
    parts: Layers = field(default_factory=dict)
    rule: ScaleRule = ScaleRule.LINEAR
    vectors: Mapping[str, Vectors] = field(default_factory=dict)
    words: tuple[TextualInversion, ...] = ()
    pins: int = 0

    @property
    def networks(self) -> frozenset[str]:
        """The networks whose layers it changes."""
        return frozenset(name for name, _ in self.pages) | self.vectors.keys() | self.parts.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledAdapter:
    """A LoRA in a request: `scale` multiplies its update, but for layers in `blocks` of the UNet with a scale of their
    own.
    """

    adapter: Adapter
    scale: float
    blocks: tuple[tuple[str, float], ...] = ()

    def scale_of(self, layer: str) -> float:
        """What multiplies the update of a layer.

        Args:
            layer: its name in the network.

        Returns:
            Its block's scale, where that has one.
        """
        return scale_in(self.blocks, layer, self.scale)


def pages_needed(parts: Sequence[ScaledAdapter], network: str) -> int:
    """The pages that a row must have room for.

    Args:
        parts: the LoRAs of a request.
        network: the one whose banks count.

    Returns:
        Of the bank in which they have most together; 0 where the row has its own weights instead.
    """
    return 0 if needs_own_weights(parts, network) else _pages(parts, network)


def needs_own_weights(parts: Sequence[ScaledAdapter], network: str) -> bool:
    """Whether a request's rows run on their own weights: its LoRAs are more than a few pages.

    Args:
        parts: the LoRAs of a request.
        network: the one that runs.

    Returns:
        True where any of them is not of low rank, or their ranks are too large together.
    """
    return any(network in part.adapter.parts for part in parts) or _pages(parts, network) > MOST_PAGES


def _pages(parts: Sequence[ScaledAdapter], network: str) -> int:
    counts: dict[int, int] = {}
    for part in parts:
        for (name, number), pages in part.adapter.pages.items():
            if name == network:
                counts[number] = counts.get(number, 0) + len(pages)
    return max(counts.values(), default=0)


class AdapterPool:
    """The LoRAs on one device for one model: the least recently used is evicted first, a pinned one never.

    Args:
        networks: the model's adapted networks, by name.
        device: that holds the LoRAs.
        dtype: of their numbers there.
        budget: bytes of all of them and of the memory for own weights, and as many again of what batches gather of
            them for their rows; what a single request needs may be more.

    Own weights are filled into `scratch`; `merged` are those that are kept, where the budget has room.
    """

    def __init__(self, networks: Networks, device: torch.device, dtype: torch.dtype, budget: int) -> None:
        self.networks = networks
        self._place = (device, dtype)
        self._budget = budget
        self.scratch = Scratch(device)
        self.merged = MergedWeights(lambda: self._budget - self.size)
        self._pools: dict[tuple[str, int], PagePool] = {}
        self._adapters: OrderedDict[str, Adapter] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes of all LoRAs that are here, and of the memory for own weights."""
        own = self.scratch.size + self.merged.size
        return own + sum(adapter.size for adapter in self._adapters.values())

    @property
    def resident(self) -> tuple[str, ...]:
        """The keys of the LoRAs that are here, the least recently used first."""
        return tuple(self._adapters)

    @property
    def page_rows(self) -> int:
        """How many pages the budget has room for, over all layers that any LoRA changes: of the pool, and again of the
        rows of batches, where each row takes a page for each that it has room for, and vectors for norms and biases.
        """
        size = sum(pool.page_size for (network, _), pool in self._pools.items() if network == "unet")
        if any("unet" in adapter.vectors for adapter in self._adapters.values()):
            size += self.networks["unet"].vectors.width * self._place[1].itemsize
        return self._budget // size if size else self._budget

    def acquire(self, key: str, pages: LoraPages, beside: Sequence[Adapter] = ()) -> Adapter | None:
        """Pin a LoRA, copied from the host if it is not on the device yet.

        Args:
            key: of the LoRA.
            pages: it, on the host.
            beside: what the same request has pinned already.

        Returns:
            None while pinned LoRAs of others leave no room for it.
        """
        if (adapter := self._adapters.get(key)) is None:
            if not self._make_room(pages.size, {adapter.key for adapter in beside}):
                return None
            # What is one tensor comes first, so that a failure leaves no pages behind.
            arena = None if pages.parts is None else pages.parts.copied_to(self._place[0])
            vectors = {network: self._copied(own) for network, own in pages.vectors.items()}
            self._adapters[key] = adapter = Adapter(
                key=key,
                pages=self._store(pages),
                used={where: part.used for where, part in pages.banks.items()},
                size=pages.size,
                arena=arena,
                parts={} if arena is None else arena.layers(),
                rule=pages.rule,
                vectors=vectors,
                words=pages.words,
            )
        self._adapters.move_to_end(key)
        adapter.pins += 1
        return adapter

    def _store(self, pages: LoraPages) -> dict[tuple[str, int], tuple[int, ...]]:
        """Copy a whole LoRA to the device, or nothing of it."""
        pools = {where: self.pool(where) for where in pages.banks}
        most = self.page_rows
        numbers: dict[tuple[str, int], tuple[int, ...]] = {}
        with ExitStack() as undo:
            for where, part in pages.banks.items():
                numbers[where] = pools[where].store(part, most)
                undo.callback(pools[where].drop, numbers[where])
            undo.pop_all()
        return numbers

    def release(self, adapter: Adapter) -> None:
        """Undo one `acquire`.

        Args:
            adapter: that it gave.
        """
        adapter.pins -= 1

    def pool(self, where: tuple[str, int]) -> PagePool:
        """The pool of a bank, made when the first LoRA needs it.

        Args:
            where: network and number of the bank.

        Returns:
            The same object each time.
        """
        if where not in self._pools:
            self._pools[where] = PagePool(self.networks[where[0]].banks[where[1]], *self._place)
        return self._pools[where]

    def no_vectors(self, network: str, rows: int) -> Vectors:
        """Room on the device for the vectors of a batch.

        Args:
            network: whose norms and biases they change.
            rows: of the batch.

        Returns:
            (rows, width), all zeros.
        """
        device, dtype = self._place
        width = self.networks[network].vectors.width
        return Vectors(values=torch.zeros(rows, width, dtype=dtype, device=device), used=frozenset())

    def _copied(self, vectors: Vectors) -> Vectors:
        return replace(vectors, values=vectors.values.to(self._place[0], non_blocking=True, copy=True))

    def _make_room(self, size: int, own: set[str]) -> bool:
        self.merged.shrink(lambda: self.size + size <= self._budget)
        for key in [key for key, adapter in self._adapters.items() if not adapter.pins]:
            if self.size + size <= self._budget:
                break
            adapter = self._adapters.pop(key)
            for where, numbers in adapter.pages.items():
                self.pool(where).drop(numbers)
            for vectors in adapter.vectors.values():
                vectors.values.zero_()
            if adapter.arena is not None:
                adapter.arena.wipe()
            self.merged.forget(key)
        # What one request needs beyond the whole budget is let in alone: to refuse it would never end the request.
        return self.size + size <= self._budget or self._adapters.keys() <= own
