"""A compiled forward is the eager one, faster; who began with one ends with it."""

import io
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from torch import Tensor

from pipeline.engine.compile import compilation
from pipeline.engine.compile.compilation import Compilation, Compiler
from pipeline.engine.compile.compile_process import CompileSpec, compile_in_child, trace
from pipeline.engine.compile.forward import CompiledForward, Graph
from pipeline.engine.denoiser import DenoisingState
from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.images.metadata import read
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from pipeline.requests.device_messages import Rendered, Stepped
from pipeline.requests.image_request import ImageRequest, LoraUse
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.random_loras import random_lora
from tests.pipeline.tiny_models import save_speck


@pytest.fixture(scope="module")
def speck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "speck"
    save_speck(folder)
    return folder


@pytest.fixture(scope="module")
def loras(speck: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`usual` changes what nearly all change, `thorough` every convolution besides."""
    folder = tmp_path_factory.mktemp("loras")
    pipeline = StableDiffusionXLPipeline.from_pretrained(speck)
    random_lora(pipeline, "usual", rank=4, wanted=lambda name: ".attentions." in name, seed=1).save(folder)
    random_lora(pipeline, "thorough", rank=4, wanted=lambda name: name.startswith("unet."), seed=2).save(folder)
    return folder


def request(**changes: object) -> ImageRequest:
    return a_request(**{"model": "speck", **changes})


def with_lora(key: str, **changes: object) -> ImageRequest:
    return request(loras=(LoraUse(key=key, name=key),), **changes)


def as_drawn(spec: CompileSpec) -> tuple[Graph, tuple[str, ...]]:
    """Stands in for a compiler: the graph itself, run operation by operation."""
    exported = trace(spec)
    return exported.module, exported.weights


class Bench:
    """A model whose forwards are compiled on demand, and its latents."""

    def __init__(self, folder: Path, loras: Path, compiler: Compiler) -> None:
        spec = replace(SPEC, models=(str(folder),), loras=loras)
        self.model = LoadedModel(ModelSource.parse(str(folder)), Hardware.choose("cpu"), spec)
        self.compiler = compiler

    def render(self, requests: Sequence[ImageRequest], bucket: int, compiled: CompiledForward | None) -> list[Tensor]:
        """The final latents of requests that run together, in their order from row 0 on."""
        memory = self.model.denoiser.open(bucket, 1, compiled)
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

    def compiled(self, bucket: int) -> CompiledForward:
        """The forward for a bucket of images of 64 pixels with LoRAs."""
        denoiser, shape = self.model.denoiser, self.model.shape(request())
        memory = denoiser.open(bucket, 1)
        denoiser.assign(memory, self.model.begin(request(), ()), (0, 1))
        sizes = denoiser.sizes(memory, shape.height, shape.width)
        graph, names = self.compiler(CompileSpec.of(denoiser.forward, sizes, torch.device("cpu")))
        return CompiledForward(graph=graph, weights=tuple(denoiser.forward.get_parameter(name) for name in names))


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # inductor's own imports
@pytest.mark.parametrize("compiler", [as_drawn, compile_in_child])
def test_a_compiled_forward_is_the_eager_one(speck: Path, loras: Path, compiler: Compiler) -> None:
    """One graph for rows with any LoRA and with none, each the same to the bit whatever the other rows hold."""
    bench = Bench(speck, loras, compiler)
    requests = [request(seed=1), with_lora("usual", seed=2)]
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


class Gate:
    """A compiler that waits to be let through, once."""

    def __init__(self) -> None:
        self.calls = 0
        self._open = threading.Event()

    def __call__(self, spec: CompileSpec) -> tuple[Graph, tuple[str, ...]]:
        self.calls += 1
        assert self._open.wait(60)
        return as_drawn(spec)

    def let_through(self, engine: Engine) -> None:
        """The graph arrives, to be judged at the engine's next step."""
        self._open.set()
        compilation = made_by(engine)
        # Drawing in this process bears no steps beside it, so nothing else is compiled from now on.
        compilation._often = 1_000_000
        for incoming in compilation._incoming.values():
            incoming.graph.exception(60)


def made_by(engine: Engine) -> Compilation:
    (model,) = engine._cache.loaded.values()
    assert model.compilation is not None
    return model.compilation


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def engine(speck: Path, loras: Path, gate: Gate, tmp_path: Path) -> Engine:
    """It compiles what it has seen twice, through the gate."""
    made = Engine(replace(SPEC, models=(str(speck),), loras=loras, compile=True, snapshot_every=1, preview_every=0))
    (model,) = made._cache.loaded.values()
    model.compilation = Compilation(model.denoiser.forward, torch.device("cpu"), cache=tmp_path, compiler=gate, often=2)
    made.step()
    return made


@pytest.fixture
def always_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "_WORTH", 1e9)


def render(engine: Engine, **requests: ImageRequest) -> dict[str, bytes]:
    for ticket, one in requests.items():
        engine.admit(ticket, one)
    return finish(engine)


def finish(engine: Engine) -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    while not engine.idle:
        made |= {event.ticket: event.png for event in engine.step() if isinstance(event, Rendered)}
    return made


def pixels(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png)).tobytes()


@pytest.mark.usefixtures("always_faster")
def test_who_began_eager_ends_eager_and_new_groups_run_compiled(engine: Engine, gate: Gate) -> None:
    """The device goes on while the compiler works; an image tells how it was made and is repeated that way."""
    before = render(engine, a=request(steps=4))["a"]
    engine.admit("b", request(steps=4))
    engine.step()
    gate.let_through(engine)
    during = finish(engine)["b"]

    after = render(engine, c=request(steps=4))["c"]
    like = read(after).request()
    eager_like = read(before).request()
    again = render(engine, d=replace(like, seed=8), e=like, f=eager_like)

    assert [read(png).compiled for png in (before, during, after)] == [False, False, True]
    assert pixels(before) == pixels(during) == pixels(again["f"])
    assert pixels(again["e"]) == pixels(after)
    assert [read(again[ticket]).compiled for ticket in "def"] == [True, True, False]


@pytest.mark.usefixtures("always_faster")
def test_a_suspended_image_goes_on_compiled_where_the_device_can(engine: Engine, gate: Gate, speck: Path) -> None:
    """Elsewhere it goes on without."""
    render(engine, a=request(steps=2))
    gate.let_through(engine)
    whole = render(engine, b=request())["b"]
    engine.admit("c", request())
    snapshot = next(event.snapshot for event in engine.step() if isinstance(event, Stepped))
    engine.cancel("c")
    other = Engine(replace(SPEC, models=(str(speck),)))

    engine.admit("d", request(), snapshot)
    other.admit("d", request(), snapshot)
    here, elsewhere = finish(engine)["d"], finish(other)["d"]

    assert pixels(here) == pixels(whole)
    assert [read(png).compiled for png in (whole, here, elsewhere)] == [True, True, False]


@pytest.mark.usefixtures("always_faster")
def test_loras_run_compiled_where_the_graph_has_room_for_them(engine: Engine, gate: Gate) -> None:
    """One with changes in unusual places runs eager, in a group of its own."""
    eager = render(engine, a=with_lora("usual"))["a"]
    gate.let_through(engine)

    made = render(engine, usual=with_lora("usual"), thorough=with_lora("thorough"))
    alone = render(engine, usual=with_lora("usual"))["usual"]

    assert read(alone).compiled
    assert not read(made["thorough"]).compiled
    assert pixels(alone) == pixels(eager) != pixels(render(engine, none=request())["none"])


def test_what_is_not_faster_stays_eager_and_is_not_tried_again(
    engine: Engine, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By measurement and not by hope."""
    monkeypatch.setattr(compilation, "_WORTH", 0)
    render(engine, a=request())
    gate.let_through(engine)

    made = render(engine, b=request()) | render(engine, c=request())

    assert not any(read(png).compiled for png in made.values())
    assert gate.calls == 1


def test_without_a_compiler_everything_stays_eager_with_one_line(
    engine: Engine, gate: Gate, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a compiler left half done is cleared away."""

    def missing(*_: object) -> Graph:
        raise RuntimeError("No working C++ compiler found\nand a long story")

    monkeypatch.setattr(made_by(engine), "_compiler", missing)
    half = tmp_path / "inductor" / "cpu" / "half.so"
    half.parent.mkdir(parents=True)
    half.touch()
    render(engine, a=request())
    gate.let_through(engine)

    made = render(engine, b=request(), c=request(seed=2)) | render(engine, d=request())

    assert not any(read(png).compiled for png in made.values())
    (line,) = [record.getMessage() for record in caplog.records if record.name == compilation.__name__]
    assert line == "nothing is compiled any more: RuntimeError: No working C++ compiler found"
    assert not half.exists()
