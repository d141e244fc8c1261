"""A batch's layers run request by request, each on its own weights where its LoRAs need them."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from pipeline.lora.format.parts import Difference, LowRank, Part
from pipeline.lora.serving.adapter_pool import AdapterPool, ScaledAdapter
from pipeline.lora.serving.layers import AdaptedConv2d, AdaptedLinear, Bank
from pipeline.lora.serving.own_weight import LayerPart, ScaledPart, is_quantized, own_weight

_ALIGNED: Final = 64
"""Bytes; where torch puts every tensor at least."""

Layer = AdaptedLinear | AdaptedConv2d


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    rows: tuple[int, ...]
    parts: tuple[ScaledAdapter, ...]


class OwnRows:
    """The requests of a batch, each of which a layer runs by itself: its result depends on itself alone.

    Args:
        pool: of the model's LoRAs.
        network: whose layers run.
        rows: of the batch.
    """

    def __init__(self, pool: AdapterPool, network: str, rows: int) -> None:
        self._pool = pool
        self._network = network
        self._rows = rows
        self._numbers = {id(bank): number for number, bank in enumerate(pool.networks[network].banks)}
        self._requests: list[_Request] = []

    @property
    def signature(self) -> Hashable:
        """Equal signatures run the same kernels on the same addresses."""
        requests = tuple(
            (
                request.rows,
                tuple((part.adapter.key, part.scale, part.blocks, id(part.adapter)) for part in request.parts),
            )
            for request in self._requests
        )
        pools = tuple(
            self._pool.pool(where).down.data_ptr()
            for request in self._requests
            for part in request.parts
            for where in part.adapter.pages
        )
        return requests, pools, self._pool.scratch.addresses, self._pool.merged.signature

    def put(self, rows: Sequence[int], parts: Sequence[ScaledAdapter]) -> None:
        """Give a request its rows, in place of whatever had them.

        Args:
            rows: of the request.
            parts: the LoRAs that its own weights are made of; none where it runs on the base's.
        """
        self.clear(rows)
        self._requests.append(_Request(rows=tuple(rows), parts=tuple(parts)))
        self._requests.sort(key=lambda request: request.rows)

    def clear(self, rows: Sequence[int]) -> None:
        """Run some rows no more.

        Args:
            rows: of a request that has left.
        """
        gone = set(rows)
        if any(request.parts for request in self._requests if gone & set(request.rows)):
            self._pool.scratch.wipe()
        self._requests = [request for request in self._requests if not gone & set(request.rows)]

    def run(self, name: str, given: Tensor) -> Tensor:
        """Run a layer by its name.

        Args:
            name: of the layer in the network.
            given: its input for all rows of the batch.

        Returns:
            As `forward`.
        """
        return self.forward(self._pool.networks[self._network].layers[name], given)

    def forward(self, layer: Layer, given: Tensor) -> Tensor:
        """Run a layer for every request; rows that are free are zeros.

        Args:
            layer: of the network.
            given: its input for all rows of the batch.

        Returns:
            Its output without what is added to biases.
        """
        if not self._requests:
            return layer.product(given, layer.weight)
        if isinstance(layer, AdaptedLinear) and not is_quantized(layer.weight):
            return self._linear(layer, given)
        outputs = [self._run(layer, request, given) for request in self._requests]
        places = [row for request in self._requests for row in request.rows]
        if len(places) < self._rows:
            free = sorted(set(range(self._rows)) - set(places))
            outputs += [torch.zeros_like(outputs[0][:1])] * len(free)
            places += free
        if places != sorted(places):
            rows = {place: row for own in outputs for row in torch.split(own, 1) for place in [places.pop(0)]}
            outputs = [rows[place] for place in range(self._rows)]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    def _linear(self, layer: AdaptedLinear, given: Tensor) -> Tensor:
        """As `forward`, each request's product in its place at once: to join them takes a tenth of a narrow layer."""
        output = given.new_empty(*given.shape[:-1], layer.out_features)
        for row in set(range(self._rows)) - {row for request in self._requests for row in request.rows}:
            output[row].zero_()
        for request in self._requests:
            own, parts = _taken(given, request.rows), self._parts(layer, request)
            made = _in_one_piece(output, request.rows)
            place = output.new_empty(len(request.rows), *output.shape[1:]) if made is None else made
            layer.product_into(place, own, self._weight(layer, request, parts) if parts else layer.weight)
            if not request.parts and (halves := layer.bank.of(layer.place)) is not None:
                layer.changed(place, own, *(_taken(half, request.rows) for half in halves))
            for row, values in zip(request.rows, place, strict=True) if made is None else ():
                output[row].copy_(values)
        return output

    def _run(self, layer: Layer, request: _Request, given: Tensor) -> Tensor:
        own = _taken(given, request.rows)
        if parts := self._parts(layer, request):
            return layer.product(own, self._weight(layer, request, parts))
        output = layer.product(own, layer.weight)
        if not request.parts and (halves := layer.bank.of(layer.place)) is not None:
            output = layer.changed(output, own, *(_taken(half, request.rows) for half in halves))
        return output

    def _weight(self, layer: Layer, request: _Request, parts: Sequence[ScaledPart]) -> Tensor:
        def fill() -> Tensor:
            return own_weight(layer.weight, parts, self._pool.scratch)

        # A text is encoded once: nothing is gained by keeping what that takes.
        if self._network != "unet" or not any(isinstance(each.own.part.change, Difference) for each in parts):
            return fill()
        name = layer.bank.names[layer.place]
        loras = [(part.adapter.key, part.scale_of(name)) for part in request.parts]
        return self._pool.merged.of(((name, *loras), frozenset(key for key, _ in loras)), fill)

    def _parts(self, layer: Layer, request: _Request) -> list[ScaledPart]:
        """What a request's own weight of a layer is made of, in the order of its LoRAs."""
        name = layer.bank.names[layer.place]
        found = []
        for part in request.parts:
            if not (scale := part.scale_of(name)):
                continue
            rule = part.adapter.rule
            own = part.adapter.parts.get(self._network, {}).get(name, ())
            found += [ScaledPart(own=each, scale=scale, rule=rule) for each in own]
            found += [ScaledPart(own=page, scale=scale) for page in self._pages(layer.bank, layer.place, part)]
        return found

    def _pages(self, bank: Bank, place: int, part: ScaledAdapter) -> list[LayerPart]:
        where = (self._network, self._numbers[id(bank)])
        if place not in part.adapter.used.get(where, ()):
            return []
        # Looked up each time: a pool that grows moves.
        pool = self._pool.pool(where)
        halves = [(pool.down[number, place].T, pool.up[number, place].T) for number in part.adapter.pages[where]]
        return [LayerPart(part=Part(change=LowRank(down=down, up=up))) for down, up in halves]


def _taken(given: Tensor, rows: tuple[int, ...]) -> Tensor:
    """A request's rows, in the memory layout of the whole."""
    own = _in_one_piece(given, rows)
    return torch.cat([given[row : row + 1] for row in rows]) if own is None else own


def _in_one_piece(tensor: Tensor, rows: tuple[int, ...]) -> Tensor | None:
    """A view of some rows; None where they lie apart, or at an address for which kernels have another way."""
    first, count = rows[0], len(rows)
    if rows != tuple(range(first, first + count)):
        return None
    own = tensor[first : first + count]
    return own if own.data_ptr() % _ALIGNED == 0 else None
