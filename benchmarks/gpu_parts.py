"""The parts of the GPU benchmark: each measures one thing and yields its figures."""

import gc
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import torch
from PIL import Image

from benchmarks.gpu_diffusers import OUR_LAYERS, SCRIPT_LAYERS, Pipeline, timed, train_as_script
from benchmarks.gpu_engine import GpuBench
from benchmarks.gpu_model import LORAS, RANKS, Assets
from pipeline.requests.device_spec import Weights
from pipeline.requests.image_request import ImageRequest
from pipeline.training.config import Preservation, TrainingConfig
from pipeline.training.examples import group, image_examples
from pipeline.training.model import open_model
from pipeline.training.request import TrainingImage
from pipeline.training.run import Run
from pipeline.training.trainer import TrainingData, _step

_TRAINED_RANK: Final = 16
_SAMPLES: Final = 3
_WARM: Final = 3
_LOOKS: Final = (("neither", 0, 0), ("a preview at every step", 1, 0), ("a snapshot at every step", 0, 1))
"""Name, and how often the engine shows a preview and takes a snapshot."""


@dataclass(kw_only=True)
class Sides:
    """Both sides, each loaded when a part needs it and kept for the next."""

    assets: Assets
    out: Path
    _bench: GpuBench | None = field(default=None, init=False)
    _pipeline: Pipeline | None = field(default=None, init=False)

    @property
    def bench(self) -> GpuBench:
        """The engine."""
        if self._bench is None:
            self._bench = GpuBench(self.assets)
        return self._bench

    @property
    def pipeline(self) -> Pipeline:
        """Diffusers'."""
        if self._pipeline is None:
            self._pipeline = Pipeline(self.assets)
        return self._pipeline

    def release(self) -> None:
        """Hold nothing on the device."""
        self._bench = self._pipeline = None
        gc.collect()
        if self.assets.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


Measured = Iterator[tuple[str, list[float], str]]
"""What, its values, their unit."""


def make_model(sides: Sides) -> Measured:
    """Write the model, its LoRAs and its ControlNet, unless they are there."""
    if sides.assets.model.exists():
        return
    yield "made and written", [timed(sides.assets.make, sides.assets.device)], "s"
    sides.release()


def roofline(sides: Sides) -> Measured:
    """What the device can do: a large product of matrices, a large copy."""
    device, dtype = sides.assets.device, sides.assets.dtype
    side, count = (8192, 1 << 31) if device.type == "cuda" else (256, 1 << 20)
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    times = [timed(lambda: left @ right, device) for _ in range(13)][_WARM:]
    yield f"product of {side}x{side} matrices, {dtype}", [2 * side**3 / time / 1e12 for time in times], "TFLOP/s"
    source = torch.randint(0, 255, (count,), device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    times = [timed(lambda: target.copy_(source), device) for _ in range(13)][_WARM:]
    yield "copy, bytes read and written", [2 * count / time / 1e12 for time in times], "TB/s"


def trace(sides: Sides) -> Measured:
    """All requests at once, each with another LoRA: first from disk, then from memory."""
    bench, size = sides.bench, sides.assets.size
    requests = bench.requests(size.requests, steps=size.steps)
    cold = bench.render(requests) / len(requests)
    yield f"{size.requests} in flight, LoRAs from disk", [cold], "s an image"
    warm = [bench.render(requests) / len(requests) for _ in range(_SAMPLES)]
    yield f"{size.requests} in flight, LoRAs in memory", warm, "s an image"
    yield from _memory(sides)


def documented(sides: Sides) -> Measured:
    """Diffusers' documented loop."""
    times = [sides.pipeline.documented(number) for number in range(_SAMPLES + 1)][1:]
    yield "documented loop", [whole for whole, _ in times], "s an image"
    yield "documented loop, all but the run", [switch for _, switch in times], "s an image"


def hotswap(sides: Sides) -> Measured:
    """Diffusers' hotswap loop."""
    yield from _hotswap(sides, compiled=False)


def hotswap_compiled(sides: Sides) -> Measured:
    """The same, its repeated blocks compiled."""
    yield from _hotswap(sides, compiled=True)


def _hotswap(sides: Sides, *, compiled: bool) -> Measured:
    sides.release()
    name = "hotswap loop, compiled" if compiled else "hotswap loop"
    pipeline = sides.pipeline
    pipeline.begin_hotswap(compiled=compiled)
    yield f"{name}, first call", [pipeline.run(0, steps=2)], "s"
    times = [pipeline.hotswapped(number) for number in range(1, _SAMPLES + 2)][1:]
    yield name, [whole for whole, _ in times], "s an image"
    yield f"{name}, the swap", [swap for _, swap in times], "s an image"
    sides.release()


def steps(sides: Sides) -> Measured:
    """The time of a step by images in flight, each with a LoRA of its own."""
    bench = sides.bench
    bench.capturing(on=True)
    yield from _steps(bench, "CUDA graph" if bench.device.type == "cuda" else "eager", sides.assets.size.in_flight)


def eager_steps(sides: Sides) -> Measured:
    """The same without CUDA graphs, and without LoRAs."""
    bench, size = sides.bench, sides.assets.size
    bench.capturing(on=False)
    yield from _steps(bench, "plain launches", (1, size.requests))
    plain = bench.requests(size.requests, steps=size.short, with_loras=False)
    yield f"plain launches, {size.requests} in flight, no LoRA", _each(bench, plain), "ms a step an image"
    bench.capturing(on=True)
    yield f"CUDA graph, {size.requests} in flight, no LoRA", _each(bench, plain), "ms a step an image"


def compiled_steps(sides: Sides) -> Measured:
    """The same, compiled by inductor."""
    bench, size = sides.bench, sides.assets.size
    requests = bench.requests(size.requests, steps=size.short)
    used = False

    def compile_it() -> None:
        nonlocal used
        used = bench.compile(requests)

    yield "compiling", [timed(compile_it, bench.device)], "s"
    yield "compiled is used", [float(used)], "1 or 0"
    yield from _steps(bench, "compiled", (size.requests,))
    bench.model.compilation = None


def float8_steps(sides: Sides) -> Measured:
    """The same with weights in float8."""
    sides.release()
    sides._bench = bench = GpuBench(sides.assets, weights=Weights.FP8)  # noqa: SLF001  in the place of the usual one
    yield from _steps(bench, "fp8", (1, sides.assets.size.requests))
    yield from _memory(sides)
    sides.release()


def _steps(bench: GpuBench, name: str, counts: tuple[int, ...]) -> Measured:
    for count in counts:
        requests = bench.requests(count, steps=bench.size.short)
        yield f"{name}, {count} in flight", _each(bench, requests), "ms a step an image"


def _each(bench: GpuBench, requests: Sequence[ImageRequest]) -> list[float]:
    return [seconds * 1000 / len(requests) for seconds in bench.step_seconds(requests)]


def joining(sides: Sides) -> Measured:
    """How long a newcomer waits for its first step beside an image that is half done."""
    yield "to the first step beside a busy image", [sides.bench.join_seconds() for _ in range(_SAMPLES + 1)][1:], "s"


def activation(sides: Sides) -> Measured:
    """From host memory to the rows of a batch, by rank."""
    bench = sides.bench
    for number, rank in enumerate(RANKS):
        times = []
        for _ in range(_SAMPLES + 1):
            bench.put_loras_away()
            times.append(bench.activation_seconds(number))
        yield f"LoRA of rank {rank} from host memory to its rows", times[1:], "s"


def looks(sides: Sides) -> Measured:
    """What previews and snapshots cost a step."""
    bench, size = sides.bench, sides.assets.size
    requests = bench.requests(size.requests, steps=size.short)
    for name, previews, snapshots in _LOOKS:
        bench.look(preview_every=previews, snapshot_every=snapshots)
        yield f"a step with {name}", _each(bench, requests), "ms a step an image"
    bench.look()


def mixed_rows(sides: Sides) -> Measured:
    """Rows with a ControlNet and rows under a mask, all of them, then half beside plain ones."""
    bench, size = sides.bench, sides.assets.size
    plain = bench.requests(size.requests, steps=size.short, with_loras=False)
    half = size.requests // 2
    yield "plain rows", _each(bench, plain), "ms a step an image"
    yield "ControlNet in every row", _each(bench, bench.controlled(plain)), "ms a step an image"
    mixed = [*bench.controlled(plain[:half]), *plain[half:]]
    yield "ControlNet in half of the rows", _each(bench, mixed), "ms a step an image"
    yield "a mask in every row", _each(bench, bench.inpainting(plain)), "ms a step an image"


def layouts(sides: Sides) -> Measured:
    """The UNet's convolutions channels last, and contiguous, as a GPU loads them."""
    bench, size = sides.bench, sides.assets.size
    unet = bench.model._checkpoint.unet  # noqa: SLF001  the part under measure
    plain = bench.requests(size.requests, steps=size.short, with_loras=False)
    for name, layout in (("channels last", torch.channels_last), ("contiguous", torch.contiguous_format)):
        unet.to(memory_format=layout)
        yield name, _each(bench, plain), "ms a step an image"
    unet.to(memory_format=bench.model._checkpoint.hardware.layout)  # noqa: SLF001  as loaded


def profile(sides: Sides) -> Measured:
    """Which kernels a step consists of, into a file; how much of its time the device is busy."""
    bench, size = sides.bench, sides.assets.size
    bench.capturing(on=False)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if bench.device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    requests = bench.requests(size.requests, steps=6)
    bench.step_seconds(requests)
    with torch.profiler.profile(activities=activities) as profiler:
        times = bench.step_seconds(requests)
    bench.capturing(on=True)
    averages = profiler.key_averages()
    by = "self_cuda_time_total" if bench.device.type == "cuda" else "self_cpu_time_total"
    (sides.out / "profile.txt").write_text(averages.table(sort_by=by, row_limit=60, max_name_column_width=90))
    busy = sum(event.self_device_time_total for event in averages) / 1e6
    yield "kernels of five steps", [busy], "s"
    yield "a step under the profiler", times, "s"


def training(sides: Sides) -> Measured:
    """Our trainer: LoRA of rank 16 on every Linear of the attention blocks, latents encoded once."""
    sides.release()
    yield "a step of our training", _train(sides.assets), "s"
    yield from _peak(sides.assets.device, "our training")
    sides.release()


def _train(assets: Assets) -> list[float]:
    size, device = assets.size, assets.device
    plan = TrainingConfig(
        model=str(assets.model),
        instance_prompt="a photo of sks dog",
        class_prompt="a photo of a dog",
        area=size.side**2,
        steps=1000,
        seed=0,
        rank=_TRAINED_RANK,
        alpha=_TRAINED_RANK,
        preservation=Preservation.NONE,
        snr_gamma=None,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.effect_noise((size.side, size.side), 60).convert("RGB").save(folder / "image.png")
        model = open_model(plan, "cpu" if device.type == "cpu" else "cuda:0")
        examples = image_examples(model, [TrainingImage(path=folder / "image.png")], plan)
        data = TrainingData(instances=group(examples), classes=[])
        run = Run.open(model, plan, folder)

        def step() -> None:
            assert _step(run, data), "the gradients are numbers"

        _reset_peak(device)
        return [timed(step, device) for _ in range(2 + size.training_steps)][2:]


def diffusers_training(sides: Sides) -> Measured:
    """Diffusers' script's loop, on the layers that it trains by default and on those that ours trains."""
    device = sides.assets.device
    for name, layers in (("by default", SCRIPT_LAYERS), ("on the layers of ours", OUR_LAYERS)):
        sides.release()
        _reset_peak(device)
        yield f"a step of diffusers' script {name}", train_as_script(sides.assets, _TRAINED_RANK, layers), "s"
        yield from _peak(device, f"diffusers' script {name}")
    sides.release()


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _peak(device: torch.device, name: str) -> Measured:
    if device.type == "cuda":
        yield f"most memory of {name}", [torch.cuda.max_memory_allocated() / 1e9], "GB"


def _memory(sides: Sides) -> Measured:
    """The memory that is held, beside what the settings allow the LoRAs."""
    if sides.assets.device.type == "cuda":
        yield "most memory", [torch.cuda.max_memory_allocated() / 1e9], "GB"
        yield "most memory reserved", [torch.cuda.max_memory_reserved() / 1e9], "GB"
    yield f"{LORAS} LoRAs on the device", [sides.bench.model.loras._pool.size / 1e9], "GB"  # noqa: SLF001


PARTS: Final[dict[str, tuple[Callable[[Sides], Measured], float]]] = {
    "model": (make_model, 75),
    "roofline": (roofline, 20),
    "trace": (trace, 110),
    "documented": (documented, 50),
    "hotswap": (hotswap, 45),
    "steps": (steps, 50),
    "eager": (eager_steps, 40),
    "joining": (joining, 20),
    "activation": (activation, 30),
    "looks": (looks, 30),
    "rows": (mixed_rows, 45),
    "layouts": (layouts, 25),
    "training": (training, 40),
    "diffusers-training": (diffusers_training, 40),
    "profile": (profile, 30),
    "fp8": (float8_steps, 60),
    "hotswap-compiled": (hotswap_compiled, 80),
    "compiled": (compiled_steps, 150),
}
"""In the order in which they run, the most important first; each with the seconds that it may take."""
