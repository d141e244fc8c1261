"""What a step costs beside its arithmetic, counted on a CPU: waits, calls, the step thread's milliseconds, bytes.

`python -m benchmarks.costs` prints one table in under three minutes. The model is `nano`, of SDXL's topology, at 1,024
pixels; where only what surrounds the model counts, its arithmetic is left out. Milliseconds are CPU time of the
engine's thread, the least of several: what others do on the machine only adds to it.
"""

import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.cost_layers import layer_costs
from benchmarks.measuring import Cost
from benchmarks.stand_in import Waits, stand_in_engine
from pipeline.engine.engine import Engine
from pipeline.requests.device_messages import Event, Faulted, Refused, Rendered, Stepped
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, LoraUse, Scheduler
from pipeline.requests.start_image import StartImage
from tests.pipeline.random_loras import random_lora
from tests.pipeline.tiny_models import save_nano

SIDE = 1024
ROWS = 8
STEPS = 12
FOUR_KINDS = (Scheduler.EULER, Scheduler.EULER_A, Scheduler.DPMPP_2M, Scheduler.DDIM)
USUAL = (".to_q", ".to_k", ".to_v", ".to_out.0", ".proj", ".net.2", ".proj_in", ".proj_out")


class CostBench:
    """The model, as `save` writes it, and a LoRA in a folder."""

    def __init__(self, folder: Path, save: Callable[[Path], None] = save_nano) -> None:
        self.model = folder / "model"
        self.loras = folder / "loras"
        self.loras.mkdir()
        save(self.model)
        config = self.model / "unet" / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"sample_size": SIDE // 8}))
        pipeline = StableDiffusionXLPipeline.from_pretrained(self.model, dtype=torch.float32)
        random_lora(pipeline, "usual", rank=16, wanted=lambda name: name.endswith(USUAL), seed=0).save(self.loras)

    def spec(self, **changes: Any) -> DeviceSpec:
        """A device of eight rows."""
        spec = DeviceSpec(
            models=(str(self.model),), device="cpu", loras=self.loras, threads=1, max_rows=ROWS, preview_every=0
        )
        return replace(spec, **changes)

    def engine(self, **changes: Any) -> Engine:
        """An engine without a model's arithmetic: its UNet and its decoder answer at once, the same each time."""
        engine = Engine(self.spec(**changes))
        engine.step()
        model = next(iter(engine._cache.loaded.values()))  # noqa: SLF001  what is left out
        parts = model._checkpoint  # noqa: SLF001  as above
        answer = torch.randn(ROWS, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(0))
        pixels = _scene()
        parts.unet.forward = lambda *_, **__: (answer,)
        parts.vae.decode = lambda *_, **__: (pixels,)
        return engine

    def requests(self, kinds: Sequence[Scheduler], count: int = ROWS, **changes: Any) -> list[ImageRequest]:
        """Requests that differ in prompt and seed, without guidance."""
        request = ImageRequest(
            prompt="red fox", width=SIDE, height=SIDE, steps=STEPS, guidance_scale=1.0, model=self.model.name, seed=0
        )
        return [
            replace(request, prompt=f"fox {seed}", seed=seed, scheduler=kinds[seed % len(kinds)], **changes)
            for seed in range(count)
        ]


def _scene() -> Tensor:
    """Pixels that a PNG encoder finds as hard as an image: smooth fields and a little grain."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 24, 24, generator=generator) * 2 - 1
    smooth = nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic")
    return smooth + 0.02 * torch.randn(smooth.shape, generator=generator)


def admit(engine: Engine, requests: Sequence[ImageRequest]) -> None:
    """Take all in."""
    for number, request in enumerate(requests):
        engine.admit(str(number), request, images=dict.fromkeys(request.image_keys, START))


def checked(events: Sequence[Event]) -> Sequence[Event]:
    """Events, none of which is a failure."""
    for event in events:
        assert not isinstance(event, Refused | Faulted), event
    return events


def _png(pixels: Image.Image) -> bytes:
    file = io.BytesIO()
    pixels.save(file, "PNG")
    return file.getvalue()


START = _png(Image.linear_gradient("L").convert("RGB"))
"""A start image, and a mask."""


@contextmanager
def aten_calls() -> Iterator[list[int]]:
    """How many calls of torch's operators are made inside the block, those inside others included."""
    calls: list[int] = []
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as recorded:
        yield calls
    calls.append(sum(event.count for event in recorded.key_averages() if event.key.startswith("aten::")))


def thread_milliseconds(engine: Engine, requests: Sequence[ImageRequest], steps: int = STEPS - 3) -> list[float]:
    """The step thread's time in each step after the second; none of them ends an image."""
    admit(engine, requests)
    times = []
    for number in range(steps):
        began = time.thread_time()
        checked(engine.step())
        if number >= 2:
            times.append(1000 * (time.thread_time() - began))
    _empty(engine)
    return times


def _empty(engine: Engine) -> None:
    for number in range(ROWS):
        engine.cancel(str(number))
    while not engine.idle:
        engine.step()


def waits(bench: CostBench) -> Iterator[Cost]:
    """What would make the host wait for a GPU, in one step of each kind."""
    cases: list[tuple[str, Sequence[Scheduler], dict[str, Any]]] = [
        (f"{ROWS} rows of {kind.value}", (kind,), {}) for kind in Scheduler
    ]
    cases += [
        (f"{ROWS} rows of euler, of images drawn over", (Scheduler.EULER,), {}),
        (f"{ROWS} rows, euler, a preview of each", (Scheduler.EULER,), {"preview_every": 1}),
        (f"{ROWS} rows, unipc, a snapshot of each", (Scheduler.UNIPC,), {"snapshot_every": 1}),
    ]
    for name, kinds, changes in cases:
        over: dict[str, Any] = (
            {"start": StartImage(image="start", mask="mask", strength=1.0)} if "drawn over" in name else {}
        )
        seen = _waits_in_a_step(bench, bench.requests(kinds, **over), **changes)
        yield Cost(what=f"waits for the device in a step: {name}", value=seen.count, unit="waits")
    for name, loras in (("without a LoRA", ()), ("with a LoRA", (LoraUse(key="usual", name="usual"),))):
        yield Cost(what=f"waits where a request joins {name}", value=_joining(bench, loras).count, unit="waits")
    yield Cost(what="waits where an image is decoded", value=_decoding(bench).count, unit="waits")


def _ready(bench: CostBench, **changes: Any) -> Engine:
    engine = stand_in_engine(bench.spec(**changes))
    with Waits():
        engine.step()
    return engine


def _waits_in_a_step(bench: CostBench, requests: Sequence[ImageRequest], **changes: Any) -> Waits:
    engine = _ready(bench, **changes)
    with Waits():
        admit(engine, requests)
        for _ in range(3):
            checked(engine.step())
    with Waits() as seen:
        checked(engine.step())
    _show(seen)
    return seen


def _joining(bench: CostBench, loras: tuple[LoraUse, ...]) -> Waits:
    """The step in which a request gets its slot beside another, less a step in which none does."""
    engine = _ready(bench)
    first, second, late = bench.requests((Scheduler.EULER,), count=3, loras=loras)
    with Waits():
        admit(engine, [first, second])
        while not any(isinstance(event, Stepped) for event in engine.step()):
            pass
        engine.cancel("1")
        engine.step()
    with Waits() as before:
        engine.step()
    engine.admit("late", late)
    with Waits() as seen:
        while not any(isinstance(event, Stepped) and event.ticket == "late" for event in engine.step()):
            pass
    seen.by_function.subtract(before.by_function)
    _show(seen)
    return seen


def _decoding(bench: CostBench) -> Waits:
    engine = _ready(bench)
    request = replace(bench.requests((Scheduler.EULER,), count=1)[0], steps=2)
    with Waits():
        admit(engine, [request])
        engine.step()
    with Waits() as seen:
        while not any(isinstance(event, Rendered) for event in checked(engine.step())):
            pass
    _show(seen)
    return seen


def _show(seen: Waits) -> None:
    if "--functions" in sys.argv:
        for function, count in seen.by_function.most_common():
            print(f"    {count:4d}  {function}", file=sys.stderr)


def around_the_model(bench: CostBench) -> Iterator[Cost]:
    """The step thread's work around the denoiser's call."""
    engine = bench.engine()
    cases: list[tuple[str, list[ImageRequest]]] = [
        (f"{ROWS} rows of {kind.value}", bench.requests((kind,))) for kind in Scheduler
    ]
    cases.append((f"{ROWS} rows of four samplers", bench.requests(FOUR_KINDS)))
    guided = bench.requests((Scheduler.EULER,), count=ROWS // 2, guidance_scale=6.0)
    cases.append((f"{ROWS} rows of euler, guided", guided))
    for name, requests in cases:
        yield Cost(what=f"a step around the model: {name}", value=min(thread_milliseconds(engine, requests)), unit="ms")
        admit(engine, requests)
        for _ in range(3):
            engine.step()
        with aten_calls() as calls:
            engine.step()
        yield Cost(what=f"the same: {name}", value=calls[0], unit="aten calls")
        _empty(engine)


def looks(bench: CostBench) -> Iterator[Cost]:
    """Previews and snapshots, beyond the same step without them."""
    for name, kind, changes in (
        ("previews, euler", Scheduler.EULER, {"preview_every": 1}),
        ("snapshots, euler", Scheduler.EULER, {"snapshot_every": 1}),
        ("snapshots, unipc", Scheduler.UNIPC, {"snapshot_every": 1}),
    ):
        requests = bench.requests((kind,))
        without = min(thread_milliseconds(bench.engine(), requests))
        with_them = min(thread_milliseconds(bench.engine(**changes), requests))
        yield Cost(what=f"{ROWS} {name}: the step thread's part", value=with_them - without, unit="ms")


def encoding(bench: CostBench) -> Iterator[Cost]:
    """What is left to the step thread of a finished image's way into a PNG, the decoder's arithmetic left out."""
    engine = bench.engine()
    times, whole = [], []
    for seed in range(3):
        admit(engine, [replace(bench.requests((Scheduler.EULER,), count=1)[0], steps=1, seed=seed)])
        began, began_whole = time.thread_time(), time.process_time()
        while not engine.idle:
            checked(engine.step())
        times.append(1000 * (time.thread_time() - began))
        whole.append(1000 * (time.process_time() - began_whole))
    yield Cost(what="an image of one step, all but the model: the step thread's part", value=min(times), unit="ms")
    yield Cost(what="the same, all threads", value=min(whole), unit="ms")


def dispatch(bench: CostBench) -> Iterator[Cost]:
    """Calls of torch's operators in one step of SDXL's topology, the model's own included."""
    lora = (LoraUse(key="usual", name="usual"),)
    for name, own in (("without LoRAs", ()), ("a LoRA of rank 16 in each row", lora)):
        engine = Engine(bench.spec())
        engine.step()
        admit(engine, bench.requests((Scheduler.EULER,), width=64, height=64, loras=own))
        while not any(isinstance(event, Stepped) for event in checked(engine.step())):
            pass
        engine.step()
        with aten_calls() as calls:
            engine.step()
        yield Cost(what=f"a whole step of {ROWS} rows, {name}", value=calls[0], unit="aten calls")
        times = []
        for _ in range(3):
            began = time.thread_time()
            engine.step()
            times.append(1000 * (time.thread_time() - began))
        yield Cost(what=f"the same at 64 px: {name}", value=min(times), unit="ms")


def main() -> None:
    """Count everything; print the table."""
    torch.set_num_threads(1)
    parts: tuple[Callable[[CostBench], Iterator[Cost]], ...] = (
        waits,
        around_the_model,
        looks,
        encoding,
        dispatch,
        layer_costs,
    )
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
    with tempfile.TemporaryDirectory() as name:
        bench = CostBench(Path(name))
        print("| cost | value | unit |\n|---|---|---|")
        for part in parts:
            if not wanted or part.__name__ in wanted:
                for cost in part(bench):
                    print(cost, flush=True)


if __name__ == "__main__":
    main()
