"""The engine against diffusers' documented ways, as ratios within one run.

`python -m benchmarks.engine` prints a table; names of workloads as arguments run only those.
Times are CPU-seconds of this process on one thread, so that a busy machine does not change the ratios much.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline

from benchmarks.fairness import light_guild
from benchmarks.measuring import HEADER, Row, cpu_seconds
from benchmarks.resume import resuming
from pipeline.engine.engine import Engine
from pipeline.requests.device_messages import Faulted, Refused, Rendered, Stepped
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, LoraUse, Scheduler
from tests.pipeline.random_loras import RandomLora, random_lora
from tests.pipeline.tiny_models import POCKET, save_nano

LORAS = 8
MIXED_TRACES = {(8, 64): (8, 15), (30, 64): (4, 7), (30, 128): (2.2, 3.3)}
"""Of each trace the ratio that it must have and the one it aims at, by steps and size in pixels."""

REQUESTS = 16
SERIAL = 4
"""How many of the requests are run one call after another to find the cost of each."""

TURNS = 3
"""How often sides that are close are measured, in turns; the fastest of each counts."""

ATTENTION_AND_FEED_FORWARD = (".to_q", ".to_k", ".to_v", ".to_out.0", ".proj", ".net.2", ".proj_in", ".proj_out")


class EngineBench:
    """Both sides with the same model and the same LoRAs."""

    def __init__(self, model: Path, folder: Path, *, rank: int = 16) -> None:
        self.model, self.folder = model, folder
        self.pipeline = StableDiffusionXLPipeline.from_pretrained(model, dtype=torch.float32)
        self.pipeline.set_progress_bar_config(disable=True)
        self.loras: list[RandomLora] = []
        for seed in range(LORAS):
            lora = random_lora(self.pipeline, f"lora{seed}", rank=rank, wanted=_is_usual, seed=seed)
            lora.save(folder)
            self.loras.append(lora)

    def engine(self, **changes: Any) -> Engine:
        """A fresh engine, warm and ready."""
        spec = DeviceSpec(
            models=(str(self.model),), device="cpu", loras=self.folder, threads=1, max_rows=16, preview_every=0
        )
        engine = Engine(replace(spec, **changes))
        engine.step()
        return engine

    def requests(self, *, size: int, steps: int, with_loras: bool, count: int = REQUESTS) -> list[ImageRequest]:
        """Requests that differ in prompt, seed, scheduler and LoRA."""
        return [
            ImageRequest(
                prompt=f"red fox number {seed}",
                width=size,
                height=size,
                steps=steps,
                guidance_scale=5.0,
                scheduler=list(Scheduler)[seed % 4],
                seed=seed,
                model=self.model.name,
                loras=(LoraUse(key=f"lora{seed % LORAS}", name="lora"),) if with_loras else (),
            )
            for seed in range(count)
        ]

    def documented_loop(self, requests: list[ImageRequest]) -> float:
        """Load, fuse, run, unfuse, unload: what diffusers' documentation shows for one LoRA after another."""
        with cpu_seconds() as watch:
            for request in requests:
                lora = self.loras[request.seed % LORAS]
                self.pipeline.load_lora_weights(lora.for_diffusers(), adapter_name=lora.key)
                self.pipeline.fuse_lora()
                self._call(request)
                self.pipeline.unfuse_lora()
                self.pipeline.unload_lora_weights()
        return watch.seconds

    def one_after_another(self, requests: list[ImageRequest]) -> float:
        """One pipeline call for each request."""
        with cpu_seconds() as watch:
            for request in requests:
                self._call(request)
        return watch.seconds

    def _call(self, request: ImageRequest) -> None:
        self.pipeline(
            request.prompt,
            width=request.width,
            height=request.height,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
            generator=torch.Generator().manual_seed(request.seed),
        )


def run_engine(engine: Engine, requests: list[ImageRequest]) -> float:
    """All requests at once, to the last image; CPU-seconds, loading of LoRAs included."""
    with cpu_seconds() as watch:
        for request in requests:
            engine.expect(request)
        for number, request in enumerate(requests):
            engine.admit(str(number), request)
        done = 0
        while not engine.idle:
            for event in engine.step():
                assert not isinstance(event, Refused | Faulted), event
                done += isinstance(event, Rendered)
    assert done == len(requests)
    return watch.seconds


def mixed_trace(bench: EngineBench, *, size: int, steps: int, count: int) -> Row:
    """Every request with another LoRA than the one before it."""
    requests = bench.requests(size=size, steps=steps, with_loras=True, count=count)
    ours = run_engine(bench.engine(), requests) / count
    # The loop serves one at a time, so a few requests give its cost for each.
    some = requests[: max(2, count // 4)]
    theirs = bench.documented_loop(some) / len(some)
    name = f"mixed trace, {LORAS} LoRAs, {bench.model.name}, {size} px, {steps} steps"
    must, aim = MIXED_TRACES[steps, size]
    return Row(
        workload=name, against="documented loop", theirs=theirs, ours=ours, unit="CPU-s an image", must=must, aim=aim
    )


def plain_trace(
    bench: EngineBench, *, count: int = REQUESTS, must: float | None = 2, aim: float | None = 3.5
) -> list[Row]:
    """No LoRA at all: batching alone, eager and as `limner serve` goes on once it has compiled what it often runs."""
    requests = bench.requests(size=128, steps=20, with_loras=False, count=count)
    eager, served = bench.engine(), compiled_engine(bench, requests)
    serial = requests[:SERIAL]
    runs = [
        (
            bench.one_after_another(serial) / len(serial),
            run_engine(eager, requests) / count,
            run_engine(served, requests) / count,
        )
        for _ in range(TURNS)
    ]
    theirs, *ours = (min(side) for side in zip(*runs, strict=True))
    name = f"{count} request{'s' if count > 1 else ''}, no LoRA, {bench.model.name}, 128 px, 20 steps"
    return [
        Row(
            workload=workload,
            against="one call after another",
            theirs=theirs,
            ours=seconds,
            unit="CPU-s an image",
            must=must,
            aim=aim,
        )
        for workload, seconds in zip((name, f"{name}, compiled"), ours, strict=True)
    ]


def compiled_engine(bench: EngineBench, requests: list[ImageRequest]) -> Engine:
    """An engine that has run `requests` until what they need is compiled and judged."""
    engine = bench.engine(compile=True)
    compilation = engine._cache.loaded[bench.model.name].compilation  # noqa: SLF001  what is waited for
    assert compilation is not None
    while not compilation._tried:  # noqa: SLF001
        run_engine(engine, requests)
    while compilation._incoming:  # noqa: SLF001
        time.sleep(1)
        engine.step()
    return engine


def activation(bench: EngineBench) -> list[Row]:
    """From host memory to ready for the first forward, against diffusers' loader and its hotswap."""
    engine = bench.engine(device_lora_bytes=1)
    model = engine._cache.loaded[bench.model.name]  # noqa: SLF001  the part under measure
    requests = bench.requests(size=64, steps=1, with_loras=True, count=LORAS)
    memory = model.denoiser.open(2, pages=1)
    times = []
    for request in requests * 2:
        model.loras.want(request.loras)
        for lora in request.loras:
            model.loras._cache.take(lora.key, 60)  # noqa: SLF001  host-cached is where the measure begins
        with cpu_seconds() as watch:
            adapters = model.loras.acquire(request, 60)
            assert adapters is not None
        rendering = model.begin(request, adapters)
        with cpu_seconds() as assigning:
            model.denoiser.assign(memory, rendering, (0, 1))
        model.loras.release(adapters)
        times.append(watch.seconds + assigning.seconds)
    ours = median(times)
    loads, swaps = [], []
    for own in bench.loras[:3]:
        with cpu_seconds() as watch:
            bench.pipeline.load_lora_weights(own.for_diffusers(), adapter_name="one")
        loads.append(watch.seconds)
        other = bench.loras[-1].for_diffusers()
        with cpu_seconds() as watch:
            bench.pipeline.load_lora_weights(other, adapter_name="one", hotswap=True)
        swaps.append(watch.seconds)
        bench.pipeline.unload_lora_weights()
    name = f"adapter from host memory to first use, {bench.model.name}"
    return [
        Row(workload=name, against="load_lora_weights", theirs=median(loads), ours=ours, must=50, aim=300),
        Row(workload=name, against="hotswap", theirs=median(swaps), ours=ours, must=8, aim=20),
    ]


def join_latency(bench: EngineBench) -> Row:
    """From submission to the first step while the device is busy with an image of 30 steps, half done."""
    requests = bench.requests(size=128, steps=30, with_loras=False, count=2)
    engine = bench.engine()
    engine.admit("busy", requests[0])
    for _ in range(15):
        engine.step()
    with cpu_seconds() as ours:
        engine.admit("new", requests[1])
        while not any(isinstance(event, Stepped) and event.ticket == "new" for event in engine.step()):
            pass
    call = bench.one_after_another(requests[:1])
    return Row(
        workload=f"join under load, {bench.model.name}, 128 px, 30 steps",
        against="serial at its 95th percentile",
        # A request that arrives at any moment of another's image waits for the rest of it, then for a step.
        theirs=0.95 * call + call / 30,
        ours=ours.seconds,
        must=10,
        aim=30,
    )


def previews(bench: EngineBench) -> Row:
    """Throughput with a preview every three steps over that without."""
    requests = bench.requests(size=128, steps=21, with_loras=False, count=8)
    engines = (bench.engine(), bench.engine(preview_every=3))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(TURNS):
        for engine, own in zip(engines, times, strict=True):
            own.append(run_engine(engine, requests))
    without, with_previews = (min(own) for own in times)
    return Row(
        workload="previews every 3 steps, pocket",
        against="none",
        theirs=without,
        ours=with_previews,
        must=0.97,
        aim=0.99,
    )


def _is_usual(name: str) -> bool:
    return name.startswith("unet.") and name.endswith(ATTENTION_AND_FEED_FORWARD)


def main(wanted: list[str]) -> None:
    """Measure each workload; print it at once."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "nano-loras").mkdir()
        (folder / "pocket-loras").mkdir()
        save_nano(folder / "nano")
        nano = EngineBench(folder / "nano", folder / "nano-loras")
        pocket = EngineBench(POCKET, folder / "pocket-loras")
        workloads: dict[str, Callable[[], Row | list[Row]]] = {
            "activation": lambda: activation(nano),
            "trace-8": lambda: mixed_trace(nano, size=64, steps=8, count=16),
            "plain": lambda: plain_trace(pocket),
            "lone": lambda: plain_trace(pocket, count=1, must=None, aim=None),
            "previews": lambda: previews(pocket),
            "join": lambda: join_latency(pocket),
            "trace-30": lambda: mixed_trace(nano, size=64, steps=30, count=8),
            "trace-30-large": lambda: mixed_trace(nano, size=128, steps=30, count=8),
            "light-guild": lambda: asyncio.run(light_guild()),
            "resume": resuming,
        }
        print(HEADER, flush=True)
        for key in wanted or list(workloads):
            rows = workloads[key]()
            rows = rows if isinstance(rows, list) else [rows]
            print(*rows, sep="\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
