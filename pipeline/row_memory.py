"""What a batch keeps for each of its rows from the step at which a request joins to the step at which it leaves."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipeline.adapters import AdapterPool, Part, RowStack
from pipeline.attention import KeysAndValues, PromptAttention, prepared_for
from pipeline.prompt_encoder import Conditioning


class RowMemory:
    """Conditioning, prepared keys and values and LoRAs of `bucket` rows.

    Everything has a fixed shape and stays where it is, so that a row's result depends on nothing but its own content;
    rows in which nobody sits hold zeros or leftovers, and nobody looks at them.
    """

    def __init__(self, adapters: AdapterPool, attention: Sequence[PromptAttention], *, bucket: int, pages: int) -> None:
        self.bucket = bucket
        self._attention = attention
        self._stack = RowStack(adapters, "unet", rows=bucket, pages=pages)
        self._conditioning: Conditioning | None = None
        self._prepared: list[KeysAndValues] | None = None

    @property
    def conditioning(self) -> Conditioning:
        """The conditioning of all rows."""
        assert self._conditioning is not None, "a batch runs with at least one request"
        return self._conditioning

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
        with self._stack.applied():
            if self._prepared is None:
                self._prepared = [layer.keys_and_values(self.conditioning.states) for layer in self._attention]
            with prepared_for(self._attention, self._prepared):
                yield
