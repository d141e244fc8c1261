"""The LoRA library: from a link to an image, a newcomer among others, many in rotation, a set against its members.

`python -m benchmarks.lora` prints a table; names of workloads as arguments run only those. Ratios are of one run.
"""

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import save

from benchmarks.engine import ATTENTION_AND_FEED_FORWARD, run_engine
from benchmarks.lora_import import import_seconds
from benchmarks.lora_layers import algorithm_bytes, layer_costs
from benchmarks.measuring import COST_HEADER, HEADER, Cost, Row
from pipeline.engine.engine import Engine
from pipeline.families.family import ModelFamily
from pipeline.lora.exporting.merge import merge
from pipeline.lora.exporting.merge_process import MergeInput
from pipeline.lora.importing.import_process import ChildLimits, Order, import_apart, importing
from pipeline.lora.sources.keys import SourceKeys
from pipeline.lora.sources.sources import LoraSources
from pipeline.requests.device_messages import Faulted, Refused
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, LoraUse
from tests.pipeline.lora.sources.site import Site
from tests.pipeline.random_loras import RandomLora, random_lora
from tests.pipeline.tiny_models import POCKET

NEWCOMERS = 6
ROTATED = 200
ROUNDS = 2
TURNS = 3
MIB = 1024 * 1024


class Library:
    """Random LoRAs for `pocket` in a folder, as canonical files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pipeline = StableDiffusionXLPipeline.from_pretrained(POCKET, dtype=torch.float32)

    def add(self, key: str, *, rank: int) -> RandomLora:
        """One for attention and feed-forward."""
        lora = random_lora(self._pipeline, key, rank=rank, wanted=_is_usual, seed=hash(key) % 1000)
        lora.save(self.folder)
        return lora

    def engine(self, **changes: Any) -> Engine:
        """A fresh engine, ready."""
        spec = DeviceSpec(models=(str(POCKET),), device="cpu", loras=self.folder, threads=1, preview_every=0)
        engine = Engine(replace(spec, **changes))
        engine.step()
        return engine


def image(*keys: str, size: int = 128, steps: int = 20, seed: int = 1) -> ImageRequest:
    """Make an image with these LoRAs."""
    return ImageRequest(
        prompt="red fox", width=size, height=size, steps=steps, guidance_scale=5.0, seed=seed, model="pocket",
        loras=tuple(LoraUse(key=key, name="lora") for key in keys),
    )  # fmt: skip


async def link_to_image(library: Library) -> list[Row]:
    """All that comes after a download that takes as long as an importer's start, for a running device."""
    site = Site(save(_as_kohya(library.add("source", rank=16))))
    await site.start()
    engine, target = library.engine(), library.folder / "linked.safetensors"
    sources = LoraSources(civitai_base=site.base, more_hosts=frozenset({"localhost"}), loopback=True)
    async with importing(POCKET, ModelFamily.SDXL) as importer:
        before = await _ready(importer.pid)
        with tempfile.TemporaryDirectory() as incoming:
            fetched = await sources.fetch(
                "https://civitai.com/models/12", Path(incoming), keys=SourceKeys(), progress=lambda *_: None
            )
            began, spent = time.monotonic(), _all_cpu_seconds()
            order = Order(source=fetched.path, target=target, configs=POCKET, family=ModelFamily.SDXL)
            await import_apart(order, ChildLimits(), importer)
            imported = _all_cpu_seconds() - spent - before
            run_engine(engine, [image("linked")])
    waited, spent = time.monotonic() - began, _all_cpu_seconds() - spent - before
    await site.server.close()
    name = f"link to first image, beyond the download (the import {imported:.2f}, the importer's start {before:.2f})"
    return [
        Row(workload=name, against="2 s", theirs=2, ours=spent, must=1),
        Row(workload="the same by the clock, beside other work", against="2 s", theirs=2, ours=waited, unit="s"),
    ]


async def _ready(process: int) -> float:
    """The CPU-seconds of a process that has done all it can before it is asked."""
    child, spent = psutil.Process(process), -1.0
    while (now := sum(child.cpu_times()[:2])) > spent or child.status() != psutil.STATUS_SLEEPING:
        spent = now
        await asyncio.sleep(5)
    return spent


def newcomer(library: Library) -> Row:
    """The longest step of a running image when a second comes with a LoRA: one never seen, one that is there."""
    for number in range(NEWCOMERS):
        library.add(f"new{number}", rank=16)
    library.add("known", rank=16)
    engine = library.engine()
    run_engine(engine, [image("known", steps=1)])
    seen = [_longest_step(engine, "known") for _ in range(NEWCOMERS)]
    unseen = [_longest_step(engine, f"new{number}") for number in range(NEWCOMERS)]
    return Row(
        workload="longest step while a LoRA comes that was never seen", against="one that is there",
        theirs=median(seen), ours=median(unseen), unit="CPU-s of the engine's thread", must=0.8,
    )  # fmt: skip


def _longest_step(engine: Engine, key: str) -> float:
    engine.admit("under way", image(steps=30))
    for _ in range(5):
        engine.step()
    engine.admit("newcomer", image(key, steps=10, seed=2))
    longest = 0.0
    while not engine.idle:
        began = time.thread_time()
        events = engine.step()
        longest = max(longest, time.thread_time() - began)
        assert not any(isinstance(event, Refused | Faulted) for event in events), events
    return longest


def rotation(library: Library) -> list[Row]:
    """Many LoRAs in turn, a twentieth of which fit: what the process holds at the end against after one round."""
    one = sum(down.nbytes + up.nbytes for down, up in library.add("sized", rank=4).layers.values())
    for number in range(ROTATED):
        library.add(f"turn{number}", rank=4)
    # In memory every rank of 4 is a page of 16.
    budget = ROTATED // 20 * one * 4
    engine = library.engine(host_lora_bytes=budget, device_lora_bytes=budget)
    model = next(iter(engine._cache.loaded.values()))  # noqa: SLF001  what is under measure
    held, cached = [], 0
    for _ in range(ROUNDS):
        for number in range(ROTATED):
            run_engine(engine, [image(f"turn{number}", size=64, steps=1)])
            cached = max(cached, model.loras._cache.size, model._adapters.size)  # noqa: SLF001
        held.append(_resident_bytes() / MIB)
    name = f"{ROTATED} LoRAs in rotation, {ROUNDS} rounds"
    return [
        Row(workload=f"{name}: the process", against="after the first round", theirs=held[0], ours=held[-1], unit="MiB",
            must=0.98),
        Row(workload=f"{name}: LoRAs in memory at most", against="their budget", theirs=budget / MIB,
            ours=cached / MIB, unit="MiB", must=1),
    ]  # fmt: skip


def fused_set(library: Library) -> list[Row]:
    """Three LoRAs against the set of them, and against none at all, which is what merged weights would cost."""
    rows = []
    for rank in (4, 16):
        keys = [f"member{rank}-{number}" for number in range(3)]
        for key in keys:
            library.add(key, rank=rank)
        members = [
            MergeInput(path=library.folder / f"{key}.safetensors", scale=1.0, text_encoder_scale=1.0) for key in keys
        ]
        merge(members, library.folder / f"set{rank}.safetensors")
        engine = library.engine()
        turns = [
            [_seconds(engine, each) for each in (image(*keys), image(f"set{rank}"), image())] for _ in range(TURNS + 1)
        ]
        apart, together, none = (min(side) for side in zip(*turns[1:], strict=True))
        name, unit = f"an image with 3 LoRAs of rank {rank}", "CPU-s an image"
        rows += [
            Row(workload=f"{name} as a set", against="each by itself", theirs=apart, ours=together, unit=unit),
            Row(workload="an image with none", against=f"3 LoRAs of rank {rank} as a set", theirs=together, ours=none,
                unit=unit),
        ]  # fmt: skip
    return rows


def _seconds(engine: Engine, request: ImageRequest) -> float:
    return run_engine(engine, [request])


def _as_kohya(lora: RandomLora) -> dict[str, torch.Tensor]:
    """As kohya's scripts write it, so that the import has what it usually has to do."""
    tensors: dict[str, torch.Tensor] = {}
    for name, (down, up) in lora.layers.items():
        own = name.replace("unet.", "lora_unet_", 1).replace(".", "_")
        tensors |= {f"{own}.lora_down.weight": down.half(), f"{own}.lora_up.weight": up.half()}
    return tensors


def _is_usual(name: str) -> bool:
    return name.startswith("unet.") and name.endswith(ATTENTION_AND_FEED_FORWARD)


def _all_cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def main(wanted: Sequence[str]) -> None:
    """Measure, line by line."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        workloads: dict[str, Callable[[], Iterable[Row | Cost]]] = {
            "bytes": algorithm_bytes,
            "import": lambda: import_seconds(Path(folder)),
            "layers": lambda: layer_costs(Path(folder)),
            "set": lambda: fused_set(library),
            "newcomer": lambda: [newcomer(library)],
            "link": lambda: asyncio.run(link_to_image(library)),
            "rotation": lambda: rotation(library),
        }
        for key in wanted or list(workloads):
            print(f"\n{COST_HEADER if key == 'bytes' else HEADER}")
            for line in workloads[key]():
                print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
