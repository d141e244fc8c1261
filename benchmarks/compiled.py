"""The compiled denoiser against the eager one, and float8 weights against full ones, within one run.

`python -m benchmarks.compiled` prints a table; names of workloads as arguments run only those. Times are CPU-seconds of
this process on one thread; what the compiler itself takes is in a row of its own.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from pipeline.engine.compile.compilation import Compiler
from pipeline.engine.compile.compile_process import CompileSpec, inductor_in_child, openvino_in_child
from pipeline.engine.compile.forward import CompiledForward, ForwardInputs
from pipeline.engine.loaded_model import LoadedModel
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from pipeline.requests.device_spec import DeviceSpec, Weights
from pipeline.requests.image_request import ImageRequest
from tests.pipeline.tiny_models import save_nano

CALLS = 10
COMPILERS = {"inductor": inductor_in_child, "OpenVINO": openvino_in_child}


@dataclass(frozen=True, kw_only=True)
class CompiledRow:
    """One line of the table."""

    workload: str
    against: str
    theirs: float
    ours: float
    unit: str = "CPU-s a call"

    def __str__(self) -> str:
        numbers = f"{self.theirs:.4g} | {self.ours:.4g} | {self.unit} | {self.theirs / self.ours:.2f}x"
        return f"| {self.workload} | {self.against} | {numbers} |"


class ForwardBench:
    """A group of `rows` rows of a model, each with room for `pages` pages of LoRAs."""

    def __init__(self, model: str, *, rows: int, side: int, pages: int = 0, weights: Weights = Weights.FULL) -> None:
        spec = DeviceSpec(models=(model,), device="cpu", threads=1, weights=weights)
        self.model = LoadedModel(ModelSource.parse(model), Hardware.choose("cpu"), spec)
        self.name = f"{self.model.facts.name}, {rows} rows, {side} px" + (f", {pages} LoRA page" if pages else "")
        denoiser = self.model.denoiser
        request = ImageRequest(
            prompt="red fox", width=side, height=side, steps=4, guidance_scale=5.0, seed=1, model=self.model.facts.name
        )
        shape = self.model.shape(request)
        self.memory = denoiser.open(rows, pages)
        denoiser.assign(self.memory, self.model.begin(request, ()), (0, 1))
        generator = torch.Generator().manual_seed(0)
        latents = torch.randn(rows, 4, shape.height, shape.width, generator=generator)
        with torch.inference_mode():
            halves = self.memory.halves(denoiser.forward.changed)
            self.inputs = self.memory.inputs(latents, torch.full((rows,), 500.0), halves)

    def eager(self, inputs: ForwardInputs) -> Tensor:
        """The forward as groups run it while nothing is compiled."""
        prediction: Tensor = self.model.denoiser.forward(*inputs.arguments)
        return prediction

    def compiled(self, compiler: Compiler) -> CompiledForward:
        """The same from a compiler."""
        forward = self.model.denoiser.forward
        return compiler(CompileSpec.of(forward, self.inputs, torch.device("cpu")), forward)


def forwards(model: str, *, rows: int, side: int, pages: int = 0) -> Iterator[CompiledRow]:
    """One call by each compiler and eager, and what compiling took, in the calls that win it back."""
    bench = ForwardBench(model, rows=rows, side=side, pages=pages)
    for name, compiler in COMPILERS.items():
        yield from _compiled(bench, name, compiler)


def _compiled(bench: ForwardBench, name: str, compiler: Compiler) -> Iterator[CompiledRow]:
    began = _children() + time.process_time()
    compiled = bench.compiled(compiler)
    spent = _children() + time.process_time() - began
    eager, ours = best_of(bench.inputs, bench.eager, compiled)
    yield CompiledRow(workload=f"forward by {name}, {bench.name}", against="eager", theirs=eager, ours=ours)
    yield CompiledRow(
        workload=f"compiling it by {name}, {bench.name}",
        against="what a call wins",
        theirs=spent,
        ours=max(eager - ours, 1e-9),
        unit="CPU-s",
    )
    with torch.inference_mode():
        ours_, theirs = compiled(bench.inputs), bench.eager(bench.inputs)
    print(f"<!-- {name}, {bench.name}: relative difference {float((ours_ - theirs).norm() / theirs.norm()):.1e} -->")


def float8(model: str) -> Iterator[CompiledRow]:
    """Bytes and time of a call with weights in float8."""
    full, fp8 = (ForwardBench(model, rows=2, side=128, weights=weights) for weights in Weights)
    eager, ours = best_of(full.inputs, full.eager, fp8.eager)
    yield CompiledRow(workload=f"fp8 weights, eager, {full.name}", against="full", theirs=eager, ours=ours)
    for kind, name in ((nn.Linear, "Linear weights"), (nn.Module, "all UNet weights")):
        theirs, mine = (_megabytes(bench.model.denoiser.forward.unet, kind) for bench in (full, fp8))
        yield CompiledRow(
            workload=f"{name} in fp8, {full.model.facts.name}", against="float32", theirs=theirs, ours=mine, unit="MB"
        )


def best_of(inputs: ForwardInputs, *sides: Callable[[ForwardInputs], Tensor]) -> list[float]:
    """The fastest call of each side, in turns, after a first one that warms it up."""
    best = [float("inf")] * len(sides)
    with torch.inference_mode():
        for call in range(1 + CALLS):
            for number, side in enumerate(sides):
                began = time.process_time()
                side(inputs)
                if call:
                    best[number] = min(best[number], time.process_time() - began)
    return best


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _megabytes(unet: nn.Module, kind: type[nn.Module]) -> float:
    weights = {
        id(weight): weight for module in unet.modules() if isinstance(module, kind) for weight in module.parameters()
    }
    return sum(part.nbytes for weight in weights.values() for part in _parts(weight)) / 1e6


def _parts(weight: Tensor) -> list[Tensor]:
    if not is_traceable_wrapper_subclass(weight):
        return [weight]
    names, _ = weight.__tensor_flatten__()
    return [getattr(weight, name) for name in names]


def main(wanted: list[str]) -> None:
    """Print the table, line by line as it is measured."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        nano = Path(name) / "nano"
        save_nano(nano)
        workloads: dict[str, Callable[[], Iterator[CompiledRow]]] = {
            "pocket": lambda: forwards("pocket", rows=2, side=128),
            "pocket-lora": lambda: forwards("pocket", rows=2, side=128, pages=1),
            "pocket-16": lambda: forwards("pocket", rows=16, side=128),
            "nano": lambda: forwards(str(nano), rows=2, side=64),
            "fp8": lambda: float8("pocket"),
        }
        print("| workload | against | theirs | ours | unit | ratio |\n|---|---|---|---|---|---|", flush=True)
        for key in wanted or list(workloads):
            for row in workloads[key]():
                print(row, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
