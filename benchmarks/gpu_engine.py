"""The engine on one device, as the parts of the GPU benchmark drive it."""

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from benchmarks.gpu_model import LORAS, RANKS, Assets, synchronize
from pipeline.engine.compile.compilation import Compilation
from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.lora.serving.pages import MOST_PAGES, PAGE_RANK
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.device_messages import Faulted, Refused, Rendered, Stepped
from pipeline.requests.device_spec import DeviceSpec, Weights
from pipeline.requests.image_request import ImageRequest, LoraUse, Scheduler
from pipeline.requests.start_image import StartImage

_GIB = 1024**3
_SCHEDULERS = (Scheduler.EULER, Scheduler.EULER_A, Scheduler.DPMPP_2M, Scheduler.DDIM)


class GpuBench:
    """One engine, and requests for it that differ in prompt, seed, sampler and LoRA."""

    def __init__(self, assets: Assets, *, weights: Weights = Weights.FULL) -> None:
        self._assets, self.size = assets, assets.size
        self.device = assets.device
        self.spec = DeviceSpec(
            models=(str(assets.model),),
            device="cpu" if assets.device.type == "cpu" else "cuda:0",
            loras=assets.loras,
            controls=assets.controls,
            max_rows=2 * max(assets.size.in_flight),
            preview_every=0,
            host_lora_bytes=16 * _GIB,
            device_lora_bytes=12 * _GIB,
            weights=weights,
            graphs=True,
        )
        self.engine = Engine(self.spec)
        self.engine.step()
        self.image = _image(assets.size.side)

    @property
    def model(self) -> LoadedModel:
        """The model that it serves."""
        (model,) = self.engine._cache.loaded.values()  # noqa: SLF001  the part under measure
        return model

    def look(self, *, preview_every: int = 0, snapshot_every: int = 0) -> None:
        """Let the engine show previews and take snapshots so often."""
        self.engine._spec = replace(  # noqa: SLF001  as after a start with these settings
            self.engine._spec,  # noqa: SLF001  as above
            preview_every=preview_every,
            snapshot_every=snapshot_every,
        )

    def capturing(self, *, on: bool) -> None:
        """Whether groups that open from now on replay CUDA graphs."""
        self.model.denoiser._graphs = (  # noqa: SLF001  the part under measure
            torch.cuda.graph_pool_handle() if on and self.device.type == "cuda" else None
        )

    def requests(self, count: int, *, steps: int, with_loras: bool = True, first: int = 0) -> list[ImageRequest]:
        """So many requests; the LoRAs' ranks differ as well."""
        return [
            ImageRequest(
                prompt=f"red fox number {seed}",
                width=self.size.side,
                height=self.size.side,
                steps=steps,
                guidance_scale=5.0,
                scheduler=_SCHEDULERS[seed % len(_SCHEDULERS)],
                seed=seed,
                model=self.model.facts.name,
                loras=(LoraUse(key=f"lora{seed % LORAS}", name="lora"),) if with_loras else (),
            )
            for seed in range(first, first + count)
        ]

    def controlled(self, requests: Sequence[ImageRequest]) -> list[ImageRequest]:
        """The same, following the outlines of an image."""
        use = ControlUse(kind=ControlKind.EDGE, image="image")
        return [replace(request, controls=(use,)) for request in requests]

    def inpainting(self, requests: Sequence[ImageRequest]) -> list[ImageRequest]:
        """The same, drawn under a mask."""
        start = StartImage(image="image", mask="mask", strength=1.0)
        return [replace(request, start=start) for request in requests]

    def images(self, request: ImageRequest) -> Mapping[str, bytes]:
        """The images that a request is made from."""
        return dict.fromkeys(request.image_keys, self.image)

    def render(self, requests: Sequence[ImageRequest]) -> float:
        """Wall seconds from the first request to the last image, loading of LoRAs included."""
        synchronize(self.device)
        began = time.perf_counter()
        for request in requests:
            self.engine.expect(request)
        for number, request in enumerate(requests):
            self.engine.admit(str(number), request, images=self.images(request))
        done = 0
        while not self.engine.idle:
            for event in self.engine.step():
                assert not isinstance(event, Refused | Faulted), event
                done += isinstance(event, Rendered)
        assert done == len(requests)
        return time.perf_counter() - began

    def step_seconds(self, requests: Sequence[ImageRequest]) -> list[float]:
        """Wall seconds of each step from the fourth on, when all have slots and graphs are captured; none is finished.

        The engine lets the host run one call ahead of the device, so that a step takes what the slower of them takes.
        """
        for number, request in enumerate(requests):
            self.engine.admit(str(number), request, images=self.images(request))
        steps = dict.fromkeys(map(str, range(len(requests))), 0)
        times: list[float] = []
        while min(steps.values()) < requests[0].steps_made - 1:
            warm = min(steps.values()) >= 3
            began = time.perf_counter()
            for event in self.engine.step():
                assert not isinstance(event, Refused | Faulted), event
                if isinstance(event, Stepped):
                    steps[event.ticket] = event.step
            if warm:
                times.append(time.perf_counter() - began)
        for ticket in steps:
            self.engine.cancel(ticket)
        self.engine.step()
        synchronize(self.device)
        return times

    def join_seconds(self) -> float:
        """From a request's admission to its first step, while another image is half done."""
        busy, newcomer = self.requests(2, steps=self.size.steps, with_loras=False)
        self.engine.admit("busy", busy)
        for _ in range(self.size.steps // 2):
            self.engine.step()
        synchronize(self.device)
        began = time.perf_counter()
        self.engine.admit("new", newcomer)
        while not any(isinstance(event, Stepped) and event.ticket == "new" for event in self.engine.step()):
            pass
        synchronize(self.device)
        took = time.perf_counter() - began
        for ticket in ("busy", "new"):
            self.engine.cancel(ticket)
        self.engine.step()
        return took

    def activation_seconds(self, number: int) -> float:
        """One LoRA from host memory to its rows of a batch."""
        (request,) = self.requests(1, steps=1, first=number)
        model = self.model
        model.loras.want(request.loras)
        model.loras._cache.take(request.loras[0].key, 60)  # noqa: SLF001  host-cached is where the measure begins
        pages = RANKS[number % len(RANKS)] // PAGE_RANK
        own = pages > MOST_PAGES
        memory = model.denoiser.open(2, pages=0 if own else pages, own=own)
        # The first place of a row's tensors is made, not changed; a device that has run has it.
        model.denoiser.assign(memory, model.begin(replace(request, loras=()), ()), (0, 1))
        synchronize(self.device)
        began = time.perf_counter()
        adapters = model.loras.acquire(request, 60)
        assert adapters is not None
        model.denoiser.assign(memory, model.begin(request, adapters), (0, 1))
        synchronize(self.device)
        took = time.perf_counter() - began
        model.loras.release(adapters)
        return took

    def put_loras_away(self) -> None:
        """Leave no LoRA on the device."""
        pool = self.model.loras._pool  # noqa: SLF001  the part under measure
        budget, pool._budget = pool._budget, 0  # noqa: SLF001  as above
        pool._make_room(1, set())  # noqa: SLF001  as above
        pool._budget = budget  # noqa: SLF001  as above

    def compile(self, requests: Sequence[ImageRequest], cache: Path | None = None) -> bool:
        """Run `requests` until their sizes are compiled and judged; whether new groups of them run compiled."""
        model = self.model
        model.compilation = Compilation(model.denoiser.forward, self.device, cache=cache, often=1)
        self.render(requests)
        while model.compilation._incoming:  # noqa: SLF001  what is waited for
            time.sleep(0.2)
            self.engine.step()
        return bool(model.compilation._faster)  # noqa: SLF001  as above


def _image(side: int) -> bytes:
    """A white disk on black: an image, a mask, and outlines to follow."""
    image = Image.new("RGB", (side, side))
    ImageDraw.Draw(image).ellipse((side // 4, side // 4, 3 * side // 4, 3 * side // 4), fill="white")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
