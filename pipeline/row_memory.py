"""What a batch keeps for each of its rows from the step at which a request joins to the step at which it leaves."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor

from pipeline.adapters import AdapterPool, Part, RowStack
from pipeline.attention import KeysAndValues, PromptAttention, prepared_for
from pipeline.compiled_forward import CompiledForward, ForwardInputs, Halves
from pipeline.prompt_encoder import Conditioning


class RowMemory:
    """Conditioning, prepared keys and values and LoRAs of `bucket` rows.

    Everything has a fixed shape and stays where it is, so that a row's result depends on nothing but its own content;
    rows in which nobody sits hold zeros or leftovers, and nobody looks at them.
    """

    def __init__(
        self,
        adapters: AdapterPool,
        attention: Sequence[PromptAttention],
        *,
        bucket: int,
        pages: int,
        compiled: CompiledForward | None = None,
    ) -> None:
        self.bucket = bucket
        self.compiled = compiled
        self._attention = attention
        self.pages = pages
        self._stack = RowStack(adapters, "unet", rows=bucket, pages=pages)
        self._conditioning: Conditioning | None = None
        self._prepared: list[KeysAndValues] | None = None

    @property
    def conditioning(self) -> Conditioning:
        """The conditioning of all rows."""
        assert self._conditioning is not None, "a batch runs with at least one request"
        return self._conditioning

    @property
    def prepared(self) -> list[KeysAndValues]:
        """The prompts' keys and values, computed when somebody has come."""
        if self._prepared is None:
            with self._stack.applied():
                self._prepared = [layer.keys_and_values(self.conditioning.states) for layer in self._attention]
        return self._prepared

    def inputs(self, latents: Tensor, timesteps: Tensor, rows: list[Halves]) -> ForwardInputs:
        """All that a forward of the whole batch reads."""
        conditioning = self.conditioning
        tensors = {"latents": latents, "timesteps": timesteps}
        if conditioning.pooled is not None and conditioning.time_ids is not None:
            tensors |= {"pooled": conditioning.pooled, "time_ids": conditioning.time_ids}
        return ForwardInputs(tensors=tensors, prepared=self.prepared, rows=rows)

    def halves(self, changed: Iterable[int]) -> list[Halves]:
        """The LoRAs' halves of the banks `changed`; none in a group without LoRAs."""
        return self._stack.reserve(changed) if self.pages else []

    def put(self, rows: Sequence[int], conditioning: Conditioning, parts: Sequence[Part]) -> None:
        """Seat a request in `rows`, one for each row of its `conditioning`, with its LoRAs."""
        if self._conditioning is None:
            self._conditioning = conditioning.empty(self.bucket)
        self._conditioning.write(rows, conditioning)
        self._stack.put(rows, parts)
        self._prepared = None

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run the UNet's forward inside this block."""
        prepared = self.prepared
        with self._stack.applied(), prepared_for(self._attention, prepared):
            yield
