"""Compiles the UNet's forward in a child process: torch traces with patches that other threads would run into."""

import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, fx, nn
from torch._inductor import standalone_compile
from torch._inductor.standalone_compile import CompiledArtifact
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import export
from torch.export.graph_signature import InputKind
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from pipeline.engine.compile.forward import Forward, ForwardInputs, Graph
from pipeline.lora.serving.layers import adapt
from pipeline.models.attention import install

_PACKAGE_ROOT: Final = str(Path(__file__).parents[3])
# As a device's own: a fresh interpreter and not a fork, which CUDA does not survive.
_PROGRAM: Final = (
    f"import sys; sys.path.insert(0, {_PACKAGE_ROOT!r}); "
    "from pipeline.engine.compile.compile_process import main; main()"
)
# Anything that serves on the same processors comes first.
_NICENESS: Final = 10


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


def trace(spec: CompileSpec) -> ExportedGraph:
    """Trace the forward without graph breaks; no other thread may use modules meanwhile.

    Args:
        spec: of the forward.

    Returns:
        The whole forward as one graph.
    """
    mode = FakeTensorMode(shape_env=ShapeEnv(), static_shapes=True)

    def fake(tensor: Tensor) -> Tensor:
        return _fake(tensor, mode, spec.device)

    forward = _rebuilt({name: fake(weight) for name, weight in spec.weights.items()}, spec.config)
    with torch.no_grad():
        program = export(forward, spec.sizes.each(fake).arguments, strict=False)
    inputs = program.graph_signature.input_specs
    weights = [str(each.target) for each in inputs if each.kind is not InputKind.USER_INPUT]
    assert all(each.kind is InputKind.USER_INPUT for each in inputs[len(weights) :]), "weights come first"
    example_inputs = [node.meta["val"] for node in program.graph_module.graph.nodes if node.op == "placeholder"]
    return ExportedGraph(module=program.graph_module, weights=tuple(weights), example_inputs=example_inputs)


def compile_in_child(spec: CompileSpec) -> tuple[Graph, tuple[str, ...]]:
    """Compile the forward with inductor; may take minutes.

    Args:
        spec: of the forward.

    Returns:
        The code, and the names of the weights that it takes first.

    Raises:
        RuntimeError: the child failed; the text is its reason.
    """
    with tempfile.TemporaryDirectory(prefix="limner-") as name:
        folder = Path(name)
        command = [sys.executable, "-c", _PROGRAM, name]
        quiet = subprocess.DEVNULL
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)  # noqa: S603  our own
        assert child.stdin is not None
        # Its end of this pipe tells it whether we are still there.
        with child.stdin as stdin:
            pickle.dump(spec, stdin)
            stdin.flush()
            code = child.wait()
        if code:
            why = folder / "why"
            raise RuntimeError(why.read_text() if why.exists() else f"the compiler ended with {code}")
        graph: Graph = CompiledArtifact.load(path=str(folder / "graph"))
        return graph, tuple((folder / "weights").read_text().splitlines())


def main() -> None:
    """The compiler's program: read a spec from standard input, write the code into a folder; end at once when the
    parent does.
    """
    folder = Path(sys.argv[1])
    os.nice(_NICENESS)
    spec: CompileSpec = pickle.load(sys.stdin.buffer)  # noqa: S301  from our parent
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(spec.threads)
    try:
        _compile(spec, folder)
    except Exception as error:
        (folder / "why").write_text(f"{type(error).__name__}: {error}")
        raise


def _compile(spec: CompileSpec, folder: Path) -> None:
    exported = trace(spec)
    with torch.no_grad():
        artifact = standalone_compile(exported.module, list[Any](exported.example_inputs))
    artifact.save(path=str(folder / "graph"))
    (folder / "weights").write_text("\n".join(exported.weights))


def _end_with_parent() -> None:
    # Not through sys.stdin, whose lock would be missed at the interpreter's own end.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


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
