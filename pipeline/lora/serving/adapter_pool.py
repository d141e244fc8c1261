"""LoRAs on the device, and what each row of a batch takes from their pages."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from pipeline.lora.serving.layers import RowWeights
from pipeline.lora.serving.page_pool import PagePool
from pipeline.lora.serving.pages import PAGE_RANK, LoraPages, Networks
from pipeline.lora.serving.vectors import Vectors
from pipeline.models.textual_inversion import TextualInversion
from pipeline.transfer import to_device


@dataclass(slots=True, kw_only=True)
class Adapter:
    """A LoRA on the device.

    `pages` are its page numbers by network and bank, `used` the places of the layers that it changes there, `size` its
    bytes; `vectors` by network are added to norms and biases, `words` are its textual inversions; `pins` counts the
    requests that use it.
    """

    key: str
    pages: Mapping[tuple[str, int], tuple[int, ...]]
    used: Mapping[tuple[str, int], frozenset[int]]
    size: int
    vectors: Mapping[str, Vectors] = field(default_factory=dict)
    words: tuple[TextualInversion, ...] = ()
    pins: int = 0

    @property
    def networks(self) -> frozenset[str]:
        """The networks whose layers it changes."""
        return frozenset(name for name, _ in self.pages) | self.vectors.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledAdapter:
    """A LoRA in a request: `scale` multiplies its update."""

    adapter: Adapter
    scale: float


def pages_needed(parts: Sequence[ScaledAdapter], network: str) -> int:
    """The pages that a row must have room for.

    Args:
        parts: the LoRAs of a request.
        network: the one whose banks count.

    Returns:
        Of the bank in which they have most together.
    """
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
        budget: bytes of all of them, and as many again of what batches gather of them for their rows; what a single
            request needs may be more.
    """

    def __init__(self, networks: Networks, device: torch.device, dtype: torch.dtype, budget: int) -> None:
        self.networks = networks
        self._place = (device, dtype)
        self._budget = budget
        self._pools: dict[tuple[str, int], PagePool] = {}
        self._adapters: OrderedDict[str, Adapter] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes of all LoRAs that are here."""
        return sum(adapter.size for adapter in self._adapters.values())

    @property
    def resident(self) -> tuple[str, ...]:
        """The keys of the LoRAs that are here, the least recently used first."""
        return tuple(self._adapters)

    @property
    def page_rows(self) -> int:
        """How many pages the budget has room for, over all layers that any LoRA changes: of the pool, and again of the
        rows of batches, where each row takes a page for each that it has room for.
        """
        size = sum(pool.page_size for (network, _), pool in self._pools.items() if network == "unet")
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
            numbers = self._store(pages)
            used = {where: part.used for where, part in pages.banks.items()}
            vectors = {network: self._copied(own) for network, own in pages.vectors.items()}
            self._adapters[key] = adapter = Adapter(
                key=key, pages=numbers, used=used, size=pages.size, vectors=vectors, words=pages.words
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
        for key in [key for key, adapter in self._adapters.items() if not adapter.pins]:
            if self.size + size <= self._budget:
                break
            adapter = self._adapters.pop(key)
            for where, numbers in adapter.pages.items():
                self.pool(where).drop(numbers)
            for vectors in adapter.vectors.values():
                vectors.values.zero_()
        # What one request needs beyond the whole budget is let in alone: to refuse it would never end the request.
        return self.size + size <= self._budget or self._adapters.keys() <= own


class RowStack:
    """What the layers of one network take from the pool for each row of a batch.

    Rows are gathered once, when a request joins, and not in every layer of every step.

    Args:
        pool: of the model's LoRAs.
        network: its name.
        rows: of the batch.
        pages: that a row has room for.
    """

    def __init__(self, pool: AdapterPool, network: str, *, rows: int, pages: int) -> None:
        self._pool = pool
        self._network = network
        self._rows = rows
        self._pages = pages
        self._weights: dict[int, RowWeights] = {}
        self._used: dict[int, list[frozenset[int]]] = {}
        self._vectors: Vectors | None = None
        self._vectors_used: list[frozenset[str]] = [frozenset()] * rows

    @property
    def signature(self) -> Hashable:
        """Which layers, norms and biases change in any row; equal signatures run the same kernels."""
        layers = tuple((number, frozenset(weights.used)) for number, weights in sorted(self._weights.items()))
        return layers, frozenset(self._vectors.used) if self._vectors is not None else None

    def put(self, rows: Sequence[int], parts: Sequence[ScaledAdapter]) -> None:
        """Give rows their LoRAs, in place of those that they had.

        Args:
            rows: of one request.
            parts: its LoRAs; none clears the rows.
        """
        touched = {number for part in parts for network, number in part.adapter.pages if network == self._network}
        for number in touched | self._weights.keys():
            self._put(number, rows, parts)
        own = [(part.adapter.vectors.get(self._network), part.scale) for part in parts]
        self._put_vectors(rows, [(vectors, scale) for vectors, scale in own if vectors is not None])

    def reserve(self, numbers: Iterable[int]) -> list[tuple[Tensor, Tensor]]:
        """The halves of some banks, at addresses that stay, whether or not a LoRA changes the banks yet.

        Args:
            numbers: of the banks.

        Returns:
            (down, up) of each, as in RowWeights.
        """
        weights = [self._weights.get(number) or self._empty(number) for number in numbers]
        return [(own.down, own.up) for own in weights]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run the network's forward inside this block, with the rows' LoRAs.

        Yields:
            Nothing.
        """
        network = self._pool.networks[self._network]
        for number, weights in self._weights.items():
            network.banks[number].rows = weights
        network.vectors.rows = self._vectors
        try:
            yield
        finally:
            network.vectors.rows = None
            for bank in network.banks:
                bank.rows = None

    def _put(self, number: int, rows: Sequence[int], parts: Sequence[ScaledAdapter]) -> None:
        where = (self._network, number)
        mine = [part for part in parts if where in part.adapter.pages]
        pages = [(page, part.scale) for part in mine for page in part.adapter.pages[where]]
        pages += [(0, 0.0)] * (self._pages - len(pages))
        weights = self._weights.get(number) or self._empty(number)
        down, up = self._gather(self._pool.pool(where), pages)
        used = frozenset[int]().union(*(part.adapter.used[where] for part in mine))
        for row in rows:
            weights.down[:, row], weights.up[:, row] = down, up
            self._used[number][row] = used
        weights.used.clear()
        weights.used.update(*self._used[number])

    def _put_vectors(self, rows: Sequence[int], parts: Sequence[tuple[Vectors, float]]) -> None:
        if self._vectors is None:
            if not parts:
                return
            self._vectors = self._pool.no_vectors(self._network, self._rows)
        values = self._vectors.values
        for row in rows:
            values[row] = 0
            for vectors, scale in parts:
                values[row].add_(vectors.values, alpha=scale)
            self._vectors_used[row] = frozenset[str]().union(*(vectors.used for vectors, _ in parts))
        self._vectors = replace(self._vectors, used=frozenset[str]().union(*self._vectors_used))

    def _gather(self, pool: PagePool, pages: Sequence[tuple[int, float]]) -> tuple[Tensor, Tensor]:
        """The halves (layers, width, rank) and (layers, rank, outputs) of these pages and scales side by side."""
        device = pool.down.device
        numbers = to_device(torch.tensor([page for page, _ in pages]), device)
        scales = to_device(torch.tensor([scale for _, scale in pages], dtype=pool.up.dtype), device)
        down = pool.down.index_select(0, numbers).permute(1, 2, 0, 3).flatten(2)
        up = pool.up.index_select(0, numbers).mul_(scales[:, None, None, None]).transpose(0, 1).flatten(1, 2)
        return down, up

    def _empty(self, number: int) -> RowWeights:
        pool = self._pool.pool((self._network, number))
        _, layers, width, _ = pool.down.shape
        rank = self._pages * PAGE_RANK
        weights = self._weights[number] = RowWeights(
            down=pool.down.new_zeros(layers, self._rows, width, rank),
            up=pool.up.new_zeros(layers, self._rows, rank, pool.up.shape[-1]),
            used=set(),
        )
        self._used[number] = [frozenset()] * self._rows
        return weights
