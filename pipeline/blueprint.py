"""Draws graphs from the UNet's forward on any thread, without touching the one that serves."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import export
from torch.export.graph_signature import InputKind
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from pipeline.compiled_forward import Forward, ForwardInputs, Graph

Compiler = Callable[[fx.GraphModule, list[Tensor]], Graph]


class Blueprint:
    """A `Forward` without its numbers: graphs are drawn from it on another thread while the original serves."""

    def __init__(self, forward: Forward, device: torch.device) -> None:
        self._device = device
        self._mode = FakeTensorMode(shape_env=ShapeEnv(), static_shapes=True)
        memo: dict[int, Any] = {id(weight): self._parameter(weight) for weight in forward.parameters()}
        memo |= {id(buffer): self._mode.from_tensor(buffer) for buffer in forward.buffers()}
        self._forward = copy.deepcopy(forward, memo)

    def compile(self, inputs: ForwardInputs, compiler: Compiler) -> tuple[Graph, tuple[str, ...]]:
        """The graph for the sizes of `inputs` (on the meta device), and the names of the weights that it takes."""
        fakes = inputs.each(self._fake)
        with torch.no_grad():
            program = export(self._forward, fakes.arguments, strict=False)
            specs = program.graph_signature.input_specs
            weights = tuple(str(spec.target) for spec in specs if spec.kind is not InputKind.USER_INPUT)
            assert all(spec.kind is InputKind.USER_INPUT for spec in specs[len(weights) :]), "weights come first"
            module = program.graph_module
            places = [node.meta["val"] for node in module.graph.nodes if node.op == "placeholder"]
            return compiler(module, places), weights

    def _parameter(self, weight: Tensor) -> nn.Parameter:
        return nn.Parameter(self._mode.from_tensor(weight.detach()), requires_grad=False)

    def _fake(self, tensor: Tensor) -> Tensor:
        with self._mode:
            return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=self._device)


def inductor(module: fx.GraphModule, inputs: list[Tensor]) -> Graph:
    """TorchInductor's code for `module`; found in its cache if this was compiled before."""
    graph: Graph = torch._inductor.compile(module, list[Any](inputs))  # noqa: SLF001  documented under this name
    return graph
