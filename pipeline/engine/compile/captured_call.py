"""A call whose kernels are captured once as a CUDA graph and replayed: one launch instead of thousands."""

import logging
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor

from pipeline.memory import is_out_of_memory

_log = logging.getLogger(__name__)


class CapturedCall:
    """A call that runs plainly the first time, and as a CUDA graph from the second time on.

    The call must read all its inputs from tensors that stay at their addresses. Where memory is too short for a graph,
    it keeps running plainly.

    Args:
        pool: memory for what the kernels need in between; calls that share one run on one stream, one after the
            other.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._signature: Hashable = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor | None = None
        self._fits = True

    def __call__(self, signature: Hashable, call: Callable[[], Tensor]) -> Tensor:
        """Run the call.

        Args:
            signature: changes when the call's kernels do; a new one begins again with a plain run.
            call: the same function each time.

        Returns:
            What it returns; the next run may overwrite it.
        """
        if signature != self._signature:
            self._signature, self._graph, self._result = signature, None, None
            return call()
        if self._graph is None and self._fits:
            self._capture(call)
        if self._graph is None or self._result is None:
            return call()
        self._graph.replay()
        return self._result

    def _capture(self, call: Callable[[], Tensor]) -> None:
        # The graph's memory is its own: what the first, plain call left unused is of no use to it.
        torch.cuda.empty_cache()
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads load models and LoRAs meanwhile, whose allocations are not this graph's.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                result = call()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            _log.warning("too little memory for a CUDA graph; its kernels are launched one by one")
            self._fits = False
            return
        self._graph, self._result = graph, result
