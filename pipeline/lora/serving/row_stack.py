"""What each row of a batch takes from the LoRAs on the device."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from pipeline.lora.serving.adapter_pool import AdapterPool, ScaledAdapter, needs_own_weights
from pipeline.lora.serving.layers import RowWeights
from pipeline.lora.serving.opaque_layer import running
from pipeline.lora.serving.own_rows import OwnRows
from pipeline.lora.serving.page_pool import PagePool
from pipeline.lora.serving.pages import PAGE_RANK
from pipeline.lora.serving.vectors import Vectors
from pipeline.transfer import to_device


class RowStack:
    """What the layers of one network take from the pool for each row of a batch.

    Rows are gathered once, when a request joins, and not in every layer of every step.

    Args:
        pool: of the model's LoRAs.
        network: its name.
        rows: of the batch.
        pages: that a row has room for.
        own: run layers request by request, each on its own weights where it needs them. What a row's result is to the
            last bit depends on this, and then not on which other requests are there.
    """

    def __init__(self, pool: AdapterPool, network: str, *, rows: int, pages: int, own: bool = False) -> None:
        self._pool = pool
        self._network = network
        self._rows = rows
        self._pages = pages
        self._weights: dict[int, RowWeights] = {}
        self._used: dict[int, list[frozenset[int]]] = {}
        self._vectors: Vectors | None = None
        self._vectors_used: list[frozenset[str]] = [frozenset()] * rows
        self._own = OwnRows(pool, network, rows) if own else None

    @property
    def signature(self) -> Hashable:
        """Which layers, norms and biases change in any row; equal signatures run the same kernels."""
        layers = tuple((number, frozenset(weights.used)) for number, weights in sorted(self._weights.items()))
        vectors = frozenset(self._vectors.used) if self._vectors is not None else None
        return layers, vectors, None if self._own is None else self._own.signature

    def put(self, rows: Sequence[int], parts: Sequence[ScaledAdapter]) -> None:
        """Give rows their LoRAs, in place of those that they had.

        Args:
            rows: of one request.
            parts: its LoRAs; none clears the rows.

        Raises:
            ValueError: they need own weights, and the batch has none.
        """
        # In an order of their own, so that a sum is the same to the last bit in whatever order they were named.
        parts = sorted(parts, key=lambda part: (part.adapter.key, part.scale, part.blocks))
        own = needs_own_weights(parts, self._network)
        if self._own is not None:
            self._own.put(rows, parts if own else ())
        elif own:
            raise ValueError("rows that need own weights are in a batch that has none")
        paged = [] if own else parts
        touched = {number for part in paged for network, number in part.adapter.pages if network == self._network}
        for number in touched | self._weights.keys():
            self._put(number, rows, paged)
        self._put_vectors(rows, [part for part in parts if self._network in part.adapter.vectors])

    def clear(self, rows: Sequence[int]) -> None:
        """Keep nothing that a request's own weights were made of.

        Args:
            rows: of a request that has left.
        """
        if self._own is not None:
            self._own.clear(rows)

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
        for bank in network.banks if self._own is not None else ():
            bank.own = self._own
        try:
            with nullcontext() if self._own is None else running(self._own.run):
                yield
        finally:
            network.vectors.rows = None
            for bank in network.banks:
                bank.rows = bank.own = None

    def _put(self, number: int, rows: Sequence[int], parts: Sequence[ScaledAdapter]) -> None:
        where = (self._network, number)
        mine = [part for part in parts if where in part.adapter.pages]
        names = self._pool.networks[self._network].banks[number].names
        pages = [(page, [part.scale_of(name) for name in names]) for part in mine for page in part.adapter.pages[where]]
        pages += [(0, [0.0] * len(names))] * (self._pages - len(pages))
        weights = self._weights.get(number) or self._empty(number)
        down, up = self._gather(self._pool.pool(where), pages)
        used = frozenset[int]().union(*(part.adapter.used[where] for part in mine))
        for row in rows:
            weights.down[:, row], weights.up[:, row] = down, up
            self._used[number][row] = used
        weights.used.clear()
        weights.used.update(*self._used[number])

    def _put_vectors(self, rows: Sequence[int], parts: Sequence[ScaledAdapter]) -> None:
        if self._vectors is None:
            if not parts:
                return
            self._vectors = self._pool.no_vectors(self._network, self._rows)
        places = self._pool.networks[self._network].vectors.places
        changed = torch.zeros_like(self._vectors.values[0])
        for part in parts:
            vectors = part.adapter.vectors[self._network]
            for place, scale in [(places[name], part.scale_of(name.rpartition(".")[0])) for name in vectors.used]:
                changed[place].add_(vectors.values[place], alpha=scale)
        for row in rows:
            self._vectors.values[row] = changed
            self._vectors_used[row] = frozenset[str]().union(
                *(part.adapter.vectors[self._network].used for part in parts)
            )
        self._vectors = replace(self._vectors, used=frozenset[str]().union(*self._vectors_used))

    def _gather(self, pool: PagePool, pages: Sequence[tuple[int, Sequence[float]]]) -> tuple[Tensor, Tensor]:
        """The halves (layers, width, rank) and (layers, rank, outputs) of these pages side by side, each with a scale
        for each layer.
        """
        device = pool.down.device
        numbers = to_device(torch.tensor([page for page, _ in pages]), device)
        scales = to_device(torch.tensor([scale for _, scale in pages], dtype=pool.up.dtype), device)
        down = pool.down.index_select(0, numbers).permute(1, 2, 0, 3).flatten(2)
        up = pool.up.index_select(0, numbers).mul_(scales[:, :, None, None]).transpose(0, 1).flatten(1, 2)
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
