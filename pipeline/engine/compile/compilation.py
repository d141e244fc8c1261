"""Which groups run compiled: graphs are compiled while the engine steps, and used where measured to be faster."""

import logging
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from pipeline.engine.compile.compile_process import CompileSpec, compile_in_child
from pipeline.engine.compile.forward import CompiledForward, Forward, ForwardInputs
from pipeline.lora.serving.adapter_pool import Adapter
from pipeline.memory import is_out_of_memory
from pipeline.models.device_timer import Span
from pipeline.requests.batch_key import BatchKey

_log = logging.getLogger(__name__)

Compiler = Callable[[CompileSpec, Forward], CompiledForward]

_OFTEN: Final = 100
"""Calls of a group's sizes after which a graph of them is compiled: a few images."""

_CALLS: Final = 3
"""How often each forward is measured after a first call that warms it up; the fastest counts."""

_SPREAD: Final = 0.1
"""The standard deviation of what both forwards are tried on: with it LoRAs change about as much as they find."""

_WORTH: Final = 0.97
"""A compiled forward is used if it takes at most this much of the eager one's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Incoming:
    """A forward that is being compiled for inputs of these sizes (on the meta device)."""

    sizes: ForwardInputs
    compiled: Future[CompiledForward]


class Compilation:
    """The compiled forwards of one model, by the sizes of groups.

    Graphs come one at a time from a child process. Without a compiler, or after its first failure, everything stays
    eager.

    Args:
        forward: the eager forward.
        device: where it runs.
        cache: the folder that inductor keeps its files in between starts; None keeps nothing.
        compiler: makes a compiled forward of the eager one.
        often: calls of a group's sizes after which they are compiled.
    """

    def __init__(
        self,
        forward: Forward,
        device: torch.device,
        *,
        cache: Path | None,
        compiler: Compiler = compile_in_child,
        often: int = _OFTEN,
    ) -> None:
        self._forward = forward
        self._device = device
        self._compiler = compiler
        self._often = often
        self._given_up = False
        self._calls: Counter[BatchKey] = Counter()
        self._tried: set[BatchKey] = set()
        self._incoming: dict[BatchKey, _Incoming] = {}
        self._faster: dict[BatchKey, CompiledForward] = {}
        # One for each device: what one of them clears away must not be another's.
        self._cache = None if cache is None else cache / "inductor" / str(device).replace(":", "-")
        if self._cache is not None:
            # The only way to set where inductor keeps its files between starts.
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(self._cache.absolute())

    def __contains__(self, key: BatchKey) -> bool:
        return _sizes(key) in self._faster

    def forward(self, key: BatchKey) -> CompiledForward:
        """The compiled forward for a group.

        Args:
            key: sizes that are in this object.

        Returns:
            To be called with inputs of exactly those sizes.
        """
        return self._faster[_sizes(key)]

    def covers(self, adapters: Sequence[Adapter], *, own_weights: bool = False) -> bool:
        """Whether compiled forwards have room for all that some LoRAs change.

        Args:
            adapters: the LoRAs.
            own_weights: they run on these, and so any layer may change.

        Returns:
            False where one changes layers that hardly any LoRA does, or vectors such as biases.
        """
        changed = self._forward.changed
        if any("unet" in adapter.vectors for adapter in adapters):
            return False
        return own_weights or all(
            used <= changed.get(number, frozenset())
            for adapter in adapters
            for (network, number), used in adapter.used.items()
            if network == "unet"
        )

    def observe(self, key: BatchKey, sizes: Callable[[], ForwardInputs]) -> None:
        """Count an eager call of a group; begin to compile its sizes once they are frequent.

        Args:
            key: the group.
            sizes: gives the forward's inputs, if they are needed.
        """
        self._calls[key] += 1
        if self._calls[key] < self._often or self._given_up or self._incoming or key in self._tried:
            return
        self._tried.add(key)
        spec = CompileSpec.of(self._forward, sizes(), self._device)
        compiled = Future[CompiledForward]()
        self._incoming[key] = _Incoming(sizes=spec.sizes, compiled=compiled)
        # A daemon: a device that shuts down does not wait for a compiler.
        made_by = (self._compiler, spec, self._forward, compiled)
        threading.Thread(target=_compile, args=made_by, name="compile", daemon=True).start()

    def benchmark(self) -> None:
        """Try a compiled forward that has arrived beside the eager one; use it if it is faster and says the same."""
        key = next((key for key, incoming in self._incoming.items() if incoming.compiled.done()), None)
        if key is None:
            return
        incoming = self._incoming.pop(key)
        try:
            compiled = incoming.compiled.result()
            inputs = incoming.sizes.each(self._noise)
            if self._is_equal(compiled, inputs) and self._is_faster(key, compiled, inputs):
                self._faster[key] = compiled
        except Exception as error:
            if is_out_of_memory(error):
                return
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._given_up = True
        if self._cache is not None:
            # A killed compiler leaves half a file, which would fail at every later start.
            shutil.rmtree(self._cache, ignore_errors=True)
        reason, *_ = (str(error) or "no reason given").splitlines()
        _log.warning("nothing is compiled any more: %s: %s", type(error).__name__, reason)

    @torch.inference_mode()
    def _is_equal(self, compiled: CompiledForward, inputs: ForwardInputs) -> bool:
        eager, ours = self._forward.run(inputs), compiled(inputs)
        apart = float((ours.float() - eager.float()).norm() / eager.float().norm())
        if apart <= float(torch.finfo(eager.dtype).eps) ** 0.5:
            return True
        _log.warning("a compiled forward is not used: it is %.1e away from the eager one", apart)
        return False

    @torch.inference_mode()
    def _is_faster(self, key: BatchKey, compiled: CompiledForward, inputs: ForwardInputs) -> bool:
        sides = (partial(compiled, inputs), partial(self._forward.run, inputs))
        for side in sides:
            side()
        ours, eager = zip(*[[self._seconds(side) for side in sides] for _ in range(_CALLS)], strict=True)
        faster = bool(min(ours) <= _WORTH * min(eager))
        _log.info(
            "%d rows of %s with %d pages: %.4f s compiled, %.4f s eager; new groups are %s",
            *(key.bucket, key.shape, key.pages, min(ours), min(eager)),
            "compiled" if faster else "eager",
        )
        return faster

    def _seconds(self, side: Callable[[], Tensor]) -> float:
        with Span(self._device) as span:
            side()
        return span.seconds

    def _noise(self, size: Tensor) -> Tensor:
        """Numbers as large as a forward's own, so that both sides do all their work and can be compared."""
        made = torch.empty_strided(size.shape, size.stride(), dtype=size.dtype, device=self._device)
        return made.normal_(std=_SPREAD)


def _compile(compiler: Compiler, spec: CompileSpec, forward: Forward, compiled: "Future[CompiledForward]") -> None:
    try:
        compiled.set_result(compiler(spec, forward))
    except BaseException as error:
        compiled.set_exception(error)


def _sizes(key: BatchKey) -> BatchKey:
    return replace(key, compiled=False)
