"""A compiled forward is the eager one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.engine.compile.compilation import Compiler
from pipeline.engine.compile.compile_process import CompileSpec, inductor_in_child, openvino_in_child
from pipeline.engine.compile.forward import CompiledForward
from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.loaded_model import LoadedModel
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.step_window import StepWindow
from tests.pipeline.conftest import SPEC
from tests.pipeline.engine.compile.drawn_graph import as_drawn, request, with_lora


class Bench:
    """A model whose forwards are compiled on demand, and its latents."""

    def __init__(self, folder: Path, loras: Path, compiler: Compiler) -> None:
        spec = replace(SPEC, models=(str(folder),), loras=loras)
        self.model = LoadedModel(ModelSource.parse(str(folder)), Hardware.choose("cpu"), spec)
        self.compiler = compiler

    def render(
        self, requests: Sequence[ImageRequest], bucket: int, compiled: CompiledForward | None, *, own: bool = False
    ) -> list[Tensor]:
        """The final latents of requests that run together, in their order from row 0 on."""
        memory = self.model.denoiser.open(bucket, 1, compiled, own=own)
        running, row = list[DenoisingState](), 0
        for one in requests:
            self.model.loras.want(one.loras)
            adapters = self.model.loras.acquire(one, 60)
            assert adapters is not None
            rendering = self.model.begin(one, adapters)
            self.model.denoiser.assign(memory, rendering, tuple(range(row, row + rendering.conditioning.rows)))
            row += rendering.conditioning.rows
            running.append(rendering)
        for _ in range(requests[0].steps):
            self.model.denoiser.advance(memory, running)
        return [rendering.latents for rendering in running]

    def compiled(self, bucket: int, *, own: bool = False) -> CompiledForward:
        """The forward for a bucket of images of 64 pixels with LoRAs."""
        denoiser, shape = self.model.denoiser, self.model.shape(request())
        memory = denoiser.open(bucket, 1, own=own)
        denoiser.assign(memory, self.model.begin(request(), ()), (0, 1))
        sizes = denoiser.sizes(memory, shape.height, shape.width)
        return self.compiler(CompileSpec.of(denoiser.forward, sizes, torch.device("cpu")), denoiser.forward)


def late(one: ImageRequest) -> ImageRequest:
    """With its LoRA in some blocks, from the second step on."""
    (use,) = one.loras
    return replace(one, loras=(replace(use, blocks="INALL", window=StepWindow(start=2)),))


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # inductor's own imports
@pytest.mark.parametrize(
    "compiler",
    # Inductor compiles for half a minute; own weights are compiled with it below, beside rows like these.
    [as_drawn, pytest.param(inductor_in_child, marks=pytest.mark.soak), openvino_in_child],
)
def test_a_compiled_forward_is_the_eager_one(speck: Path, loras: Path, compiler: Compiler) -> None:
    """One graph for rows with any LoRA, in some steps or none, each the same to the bit whatever the others hold."""
    bench = Bench(speck, loras, compiler)
    requests = [request(seed=1), late(with_lora("usual", seed=2))]
    compiled = bench.compiled(bucket=4)

    together = bench.render(requests, 4, compiled)
    backwards = bench.render(requests[::-1], 4, compiled)[::-1]
    eager = bench.render(requests, 4, None)

    for ours, other, theirs in zip(together, backwards, eager, strict=True):
        assert relative_error(ours, theirs) < 1e-5
        assert torch.equal(ours, other)
    # Nothing is compiled a second time without the engine.
    with pytest.raises((AssertionError, RuntimeError)):
        bench.render(requests, 8, compiled)


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # inductor's own imports
@pytest.mark.parametrize("compiler", [as_drawn, pytest.param(inductor_in_child, marks=pytest.mark.soak)])
def test_own_weights_run_in_one_compiled_graph(speck: Path, loras: Path, compiler: Compiler) -> None:
    """Beside rows with pages and with nothing; the graph knows of none of them."""
    bench = Bench(speck, loras, compiler)
    requests = [request(seed=1), with_lora("usual", seed=2), with_lora("deep", seed=3)]
    requests.append(late(with_lora("deep", seed=4)))
    compiled = bench.compiled(bucket=8, own=True)

    together = bench.render(requests, 8, compiled, own=True)
    backwards = bench.render(requests[::-1], 8, compiled, own=True)[::-1]
    eager = bench.render(requests, 8, None, own=True)

    for ours, other, theirs in zip(together, backwards, eager, strict=True):
        assert relative_error(ours, theirs) < 1e-5
        assert torch.equal(ours, other)
