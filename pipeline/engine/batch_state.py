"""What a batch keeps for each of its rows while a request has them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from pipeline.engine.compile.captured_call import CapturedCall
from pipeline.engine.compile.forward import CompiledForward, ForwardInputs, Halves
from pipeline.lora.serving.adapter_pool import AdapterPool, ScaledAdapter
from pipeline.lora.serving.row_stack import RowStack
from pipeline.models.attention import KeysAndValues, PromptAttention, prepared_for
from pipeline.text.conditioning import Conditioning
from pipeline.transfer import to_device


class RowMemory:
    """Conditioning, prepared keys and values, and LoRAs of the rows of one batch.

    Every tensor has a fixed shape and stays at its address, so that a row's result depends on its own content alone;
    free rows hold zeros or leftovers, which nothing reads.

    Args:
        adapters: the pool that holds the LoRAs' weights.
        attention: the UNet's cross-attention layers.
        bucket: the rows.
        pages: of LoRAs that a row may have.
        own: run layers request by request, each on its own weights where its LoRAs need them.
        compiled: the forward that runs the batch, None for the eager one.
        captured: runs its calls as a CUDA graph; None runs them plainly.
    """

    def __init__(
        self,
        adapters: AdapterPool,
        attention: Sequence[PromptAttention],
        *,
        bucket: int,
        pages: int,
        own: bool = False,
        compiled: CompiledForward | None = None,
        captured: CapturedCall | None = None,
    ) -> None:
        self.bucket = bucket
        self.compiled = compiled
        self._captured = captured
        self._attention = attention
        self.pages = pages
        self.own = own
        self._stack = RowStack(adapters, "unet", rows=bucket, pages=pages, own=own)
        self._conditioning: Conditioning | None = None
        self._prepared: list[KeysAndValues] = []
        self._stale = True
        self._latents: Tensor | None = None
        self._timesteps: Tensor | None = None
        self._order: tuple[tuple[tuple[int, ...], ...], Tensor] | None = None

    @property
    def conditioning(self) -> Conditioning:
        """The conditioning of all rows."""
        assert self._conditioning is not None, "a batch runs with at least one request"
        return self._conditioning

    @property
    def prepared(self) -> list[KeysAndValues]:
        """The prompts' keys and values by layer, computed again after a request has joined; their addresses stay."""
        if self._stale:
            self._prepare()
        return self._prepared

    def _prepare(self) -> None:
        with self._stack.applied():
            fresh = [layer.keys_and_values(self.conditioning.states) for layer in self._attention]
        if self._prepared:
            for (keys, values), (new_keys, new_values) in zip(self._prepared, fresh, strict=True):
                keys.copy_(new_keys)
                values.copy_(new_values)
        else:
            self._prepared = fresh
        self._stale = False

    def feed(
        self, rows: tuple[tuple[int, ...], ...], latents: Sequence[Tensor], timesteps: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        """Write the next call's latents and timesteps to where the last call's were.

        Args:
            rows: of each request.
            latents: (1, channels, height, width) of each request; every one of its rows gets them.
            timesteps: of each request.

        Returns:
            Latents (bucket, channels, height, width) and timesteps (bucket,).
        """
        states = self.conditioning.states
        if self._latents is None or self._timesteps is None:
            self._latents = states.new_zeros(self.bucket, *latents[0].shape[1:])
            self._timesteps = torch.zeros(self.bucket, device=states.device)
        for places, new in zip(rows, latents, strict=True):
            for row in places:
                self._latents[row].copy_(new[0])
        by_row = {row: timestep for own, timestep in zip(rows, timesteps, strict=True) for row in own}
        # From pinned memory, which a GPU fetches without making this thread wait.
        values = torch.tensor([by_row.get(row, 0.0) for row in range(self.bucket)], pin_memory=states.is_cuda)
        self._timesteps.copy_(values, non_blocking=True)
        return self._latents, self._timesteps

    def taken(self, rows: tuple[tuple[int, ...], ...], answers: Tensor) -> Tensor:
        """The rows of some requests, copied out of a call's answers.

        Args:
            rows: of each request.
            answers: (bucket, ...).

        Returns:
            Request by request.
        """
        if self._order is None or self._order[0] != rows:
            # On the device from here on: a list would make the host wait for it at every step.
            numbers = torch.tensor([row for own in rows for row in own])
            self._order = rows, to_device(numbers, answers.device)
        return answers.index_select(0, self._order[1])

    def run(self, call: Callable[[], Tensor]) -> Tensor:
        """Run a call on this memory, as a CUDA graph where the device has them.

        Args:
            call: reads only tensors that stay at their addresses.

        Returns:
            What it returns; the next run may overwrite it.
        """
        if self._captured is None:
            return call()
        if self._stale:
            # Outside of the graph, which would repeat it at every step.
            self._prepare()
        return self._captured(self._stack.signature, call)

    def inputs(self, latents: Tensor, timesteps: Tensor, rows: list[Halves]) -> ForwardInputs:
        """All that a forward of the whole batch reads.

        Args:
            latents: (bucket, channels, height, width).
            timesteps: (bucket,).
            rows: the LoRAs' halves, from `halves`.

        Returns:
            Latents and timesteps with the conditioning.
        """
        conditioning = self.conditioning
        tensors = {"latents": latents, "timesteps": timesteps}
        if conditioning.pooled is not None and conditioning.time_ids is not None:
            tensors |= {"pooled": conditioning.pooled, "time_ids": conditioning.time_ids}
        if conditioning.guidance is not None:
            tensors["guidance"] = conditioning.guidance
        return ForwardInputs(tensors=tensors, prepared=self.prepared, rows=rows, own_weights=self.own)

    def halves(self, changed: Iterable[int]) -> list[Halves]:
        """The halves of the LoRAs of some banks of layers.

        Args:
            changed: numbers of the banks.

        Returns:
            (down, up) of each bank; empty in a batch without LoRAs, or with own weights.
        """
        return self._stack.reserve(changed) if self.pages and not self.own else []

    def call(self, compiled: CompiledForward, inputs: ForwardInputs) -> Tensor:
        """Run a compiled forward with the LoRAs of this batch, some of which it may look up itself.

        Args:
            compiled: the forward.
            inputs: from `inputs`.

        Returns:
            The prediction of all rows.
        """
        with self._stack.applied():
            return compiled(inputs)

    def put(self, rows: Sequence[int], conditioning: Conditioning, parts: Sequence[ScaledAdapter]) -> None:
        """Give a request its rows, with its LoRAs.

        Args:
            rows: one for each row of `conditioning`.
            conditioning: of its prompts.
            parts: its LoRAs, with their scales.
        """
        if self._conditioning is None:
            self._conditioning = conditioning.empty(self.bucket)
        self._conditioning.write(rows, conditioning)
        self._stack.put(rows, parts)
        self._stale = True

    def clear(self, rows: Sequence[int]) -> None:
        """Keep nothing that the own weights of a request were made of.

        Args:
            rows: those of a request that has left.
        """
        self._stack.clear(rows)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run the UNet's forward inside this block, with the LoRAs and prompts of this batch.

        Yields:
            Nothing.
        """
        prepared = self.prepared
        with self._stack.applied(), prepared_for(self._attention, prepared):
            yield
