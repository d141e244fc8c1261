"""Compiles the UNet's forward in a child process: torch traces with patches that other threads would run into."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, fx, nn
from torch._inductor.standalone_compile import CompiledArtifact
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import ExportedProgram, export
from torch.export.graph_signature import InputKind
from torch.func import functional_call
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from pipeline.engine.compile.forward import CompiledForward, Forward, ForwardInputs
from pipeline.lora.serving.layers import adapt
from pipeline.models.attention import install
from pipeline.models.hardware import Hardware
from pipeline.processes import frames
from pipeline.processes.child import running

_PROGRAM: Final = "pipeline.engine.compile.compile_program"
OPENVINO: Final = "openvino"
INDUCTOR: Final = "inductor"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileSpec:
    """All that a compiled forward depends on; its tensors are on the meta device and hold no numbers.

    `config` is the UNet's; `weights` are its parameters and buffers by name; `sizes` are a forward's inputs; `threads`
    is how many the code may use.
    """

    config: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    sizes: ForwardInputs
    device: torch.device
    threads: int

    @classmethod
    def of(cls, forward: Forward, sizes: ForwardInputs, device: torch.device) -> "CompileSpec":
        """The spec of a forward, with as many threads as this process has.

        Args:
            forward: the eager forward.
            sizes: its inputs.
            device: where the code is to run.

        Returns:
            To be pickled to the compiler's process.
        """
        unet: Any = forward.unet
        weights = dict(unet.named_parameters()) | dict(unet.named_buffers())
        return cls(
            config=dict(unet.config),
            weights={name: weight.detach().to("meta") for name, weight in weights.items()},
            sizes=sizes.each(_on_meta),
            device=device,
            threads=torch.get_num_threads(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedGraph:
    """The forward as a graph that takes the tensors named in `weights` first, then the inputs.

    `example_inputs` are tensors like all of them, without numbers.
    """

    module: fx.GraphModule
    weights: tuple[str, ...]
    example_inputs: list[Tensor]


class _Pure(nn.Module):
    """A forward whose weights are arguments too; it holds none, or a trace would take them for its own.

    Args:
        forward: is called with them in the place of its own.
    """

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self._call = partial(functional_call, forward)

    def forward(self, weights: dict[str, Tensor], *arguments: Any) -> Tensor:
        prediction: Tensor = self._call(weights, arguments)
        return prediction


def trace(spec: CompileSpec) -> ExportedGraph:
    """Trace the forward without graph breaks; no other thread may use modules meanwhile.

    Args:
        spec: of the forward.

    Returns:
        The whole forward as one graph.
    """
    forward, sizes = _without_numbers(spec)
    with torch.no_grad():
        program = export(forward, sizes.arguments, strict=False)
    inputs = program.graph_signature.input_specs
    weights = [str(each.target) for each in inputs if each.kind is not InputKind.USER_INPUT]
    assert all(each.kind is InputKind.USER_INPUT for each in inputs[len(weights) :]), "weights come first"
    example_inputs = [node.meta["val"] for node in program.graph_module.graph.nodes if node.op == "placeholder"]
    return ExportedGraph(module=program.graph_module, weights=tuple(weights), example_inputs=example_inputs)


def trace_program(spec: CompileSpec) -> tuple[ExportedProgram, tuple[str, ...]]:
    """Trace the forward as a program without weights of its own, as `trace` does.

    Args:
        spec: of the forward.

    Returns:
        The program, and the names of the weights that it takes before the inputs.
    """
    forward, sizes = _without_numbers(spec)
    weights = {name: weight.detach() for name, weight in (*forward.named_parameters(), *forward.named_buffers())}
    with torch.no_grad():
        return export(_Pure(forward), (weights, *sizes.arguments), strict=False), tuple(weights)


def compile_in_child(spec: CompileSpec, forward: Forward) -> CompiledForward:
    """Compile the forward with what is fastest here: OpenVINO on a CPU where it is installed, else inductor.

    Args:
        spec: of the forward.
        forward: the eager one, whose weights are used.

    Returns:
        The code with its weights.

    Raises:
        RuntimeError: the child failed; the text is its reason.
    """
    return openvino_in_child(spec, forward) if suits_openvino(spec) else inductor_in_child(spec, forward)


def inductor_in_child(spec: CompileSpec, forward: Forward) -> CompiledForward:
    """Compile the forward with inductor; may take minutes.

    Args:
        spec: as for `compile_in_child`.
        forward: as for `compile_in_child`.

    Returns:
        The code with its weights.

    Raises:
        RuntimeError: the child failed; the text is its reason.
    """
    with _written(spec, INDUCTOR) as folder:
        return CompiledForward(
            graph=CompiledArtifact.load(path=str(folder / "graph")), weights=_weights(folder, forward)
        )


def openvino_in_child(spec: CompileSpec, forward: Forward) -> CompiledForward:
    """Convert the forward to OpenVINO's form, which takes seconds and keeps a copy of the weights.

    Args:
        spec: as for `compile_in_child`; on a CPU.
        forward: as for `compile_in_child`.

    Returns:
        The code with its weights inside.

    Raises:
        RuntimeError: the child failed; the text is its reason.
    """
    from pipeline.engine.compile.openvino_graph import OpenVinoGraph  # noqa: PLC0415  an optional package

    with _written(spec, OPENVINO) as folder:
        graph = OpenVinoGraph(folder / "graph.xml", _weights(folder, forward), spec.threads)
    return CompiledForward(graph=graph, weights=(), packages=(OPENVINO,))


def suits_openvino(spec: CompileSpec) -> bool:
    """Whether OpenVINO is here, can run the forward exactly, and has room for its copy of the weights.

    Args:
        spec: of the forward.

    Returns:
        False where inductor compiles it.
    """
    weights = spec.weights.values()
    return (
        spec.device.type == "cpu"
        and not spec.sizes.own_weights
        and find_spec(OPENVINO) is not None
        and all(weight.dtype == torch.float32 and not is_traceable_wrapper_subclass(weight) for weight in weights)
        and Hardware.choose("cpu").fits(2 * sum(weight.nbytes for weight in weights))
    )


def _weights(folder: Path, forward: Forward) -> tuple[Tensor, ...]:
    """Those that the child's graph takes, in its order."""
    return tuple(attrgetter(name)(forward) for name in (folder / "weights").read_text().splitlines())


@contextlib.contextmanager
def _written(spec: CompileSpec, backend: str) -> Iterator[Path]:
    """The folder with what the child has made of the forward."""
    with tempfile.TemporaryDirectory(prefix="limner-") as name:
        folder = Path(name)
        if code := asyncio.run(_run(spec, folder, backend)):
            why = folder / "why"
            raise RuntimeError(why.read_text() if why.exists() else f"the compiler ended with {code}")
        yield folder


async def _run(spec: CompileSpec, folder: Path, backend: str) -> int:
    """The exit status of the child, which writes into `folder`."""
    async with running(_PROGRAM, str(folder), backend, quiet=True) as child:
        assert child.stdin is not None, "the process was started with a pipe"
        # Its end of this pipe, which stays open, tells the child whether we are still there.
        child.stdin.write(frames.pack(spec))
        with contextlib.suppress(ConnectionError):
            await child.stdin.drain()
        return await child.wait()


def _without_numbers(spec: CompileSpec) -> tuple[Forward, ForwardInputs]:
    """The forward and its inputs as a trace takes them."""
    mode = FakeTensorMode(shape_env=ShapeEnv(), static_shapes=True)

    def fake(tensor: Tensor) -> Tensor:
        return _fake(tensor, mode, spec.device)

    forward = _rebuilt({name: fake(weight) for name, weight in spec.weights.items()}, spec.config)
    forward.own_weights = spec.sizes.own_weights
    return forward, spec.sizes.each(fake)


def _rebuilt(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Forward:
    """The forward as the device has it, on weights without numbers."""
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    banks = adapt(unet).banks
    for name, weight in weights.items():
        path, _, own = name.rpartition(".")
        module = unet.get_submodule(path)
        if own in dict(module.named_parameters(recurse=False)):
            setattr(module, own, nn.Parameter(weight, requires_grad=False))
        else:
            setattr(module, own, weight)
    return Forward(unet.eval(), banks, install(unet))


def _fake(tensor: Tensor, mode: FakeTensorMode, device: torch.device) -> Tensor:
    if is_traceable_wrapper_subclass(tensor):
        names, context = tensor.__tensor_flatten__()
        inner = {name: _fake(getattr(tensor, name), mode, device) for name in names}
        made: Tensor = type(tensor).__tensor_unflatten__(inner, context, tensor.shape, tensor.stride())
        return made
    with mode:
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)


def _on_meta(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
