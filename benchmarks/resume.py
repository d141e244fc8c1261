"""What a killed device costs: `python -m benchmarks.resume` prints how many row-steps are made twice.

An image of 30 steps is killed at a random step and begun again on another engine: from its last snapshot, and from
nothing. The work is counted, not timed; every image is compared with one that is not interrupted.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import torch

from benchmarks.measuring import HEADER, Row
from bot.assembly.runtime import SNAPSHOT_EVERY
from pipeline.engine.engine import Engine
from pipeline.requests.device_messages import Rendered, Stepped
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, Scheduler

KILLS: Final = 30
STEPS: Final = 30
ROUNDS: Final = 3
SPEC: Final = DeviceSpec(models=("pocket",), device="cpu", threads=1, preview_every=0, snapshot_every=SNAPSHOT_EVERY)
FOX: Final = ImageRequest(
    prompt="red fox, glossy style", width=64, height=64, steps=STEPS, guidance_scale=5.0,
    scheduler=Scheduler.DPMPP_2M, seed=7, model="pocket",
)  # fmt: skip


@dataclass(kw_only=True)
class Attempt:
    """One attempt at an image: its steps, its last snapshot, and the image itself if it was finished."""

    steps: int = 0
    snapshot: bytes | None = None
    png: bytes | None = None


class OneImageEngine:
    """An engine that makes one image at a time."""

    def __init__(self, spec: DeviceSpec = SPEC) -> None:
        self._engine = Engine(spec)
        self._engine.step()

    def run(self, request: ImageRequest, *, snapshot: bytes | None = None, dies_after: int = STEPS + 1) -> Attempt:
        """Work on the image to its end, or until it has made so many steps."""
        attempt = Attempt()
        self._engine.admit("fox", request, snapshot)
        for event in self._events():
            if isinstance(event, Stepped):
                attempt.steps += 1
                attempt.snapshot = event.snapshot or attempt.snapshot
            if isinstance(event, Rendered):
                attempt.png = event.png
            if attempt.steps == dies_after:
                self._engine.cancel("fox")
        return attempt

    def _events(self) -> Iterator[object]:
        while not self._engine.idle:
            yield from self._engine.step()


def wasted_steps(request: ImageRequest, whole: Attempt, go_on: Callable[[Attempt], bytes | None]) -> list[int]:
    """For each kill, the steps that were made twice; `go_on` says what the next attempt takes from the last."""
    first, second = OneImageEngine(), OneImageEngine()
    dice = random.Random(1)  # noqa: S311  the same kills for both ways
    wasted = []
    for _ in range(KILLS):
        killed = first.run(request, dies_after=dice.randint(1, STEPS - 1))
        rest = second.run(request, snapshot=go_on(killed))
        assert rest.png == whole.png, "the image differs from the undisturbed one"
        wasted.append(killed.steps + rest.steps - STEPS)
    return wasted


def resuming() -> Row:
    """Row-steps made twice by a restart from nothing, against those made twice from a snapshot."""
    whole = OneImageEngine().run(FOX)
    request = replace(FOX, bucket=2)  # the bucket of a single image: the same on every device
    assert OneImageEngine().run(request).png == whole.png
    restart = sum(wasted_steps(request, whole, lambda _: None))
    resumed = sum(wasted_steps(request, whole, lambda killed: killed.snapshot))
    rows = FOX.row_steps / FOX.steps
    return Row(
        workload=f"killed at a random step of {STEPS}, {KILLS} times, pocket, a snapshot every {SNAPSHOT_EVERY} steps",
        against="restart",
        theirs=restart * rows,
        ours=resumed * rows,
        unit="row-steps made twice",
        must=5,
        aim=15,
    )


def snapshotting() -> Row:
    """What snapshots cost where nothing is killed: the best of some rounds, with and without in turns."""
    devices = (OneImageEngine(replace(SPEC, snapshot_every=0)), OneImageEngine())
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for device, own in zip(devices, seconds, strict=True):
            began = time.process_time()
            device.run(FOX)
            own.append(time.process_time() - began)
    without, with_snapshots = map(min, seconds)
    return Row(
        workload=f"an image of {STEPS} steps, pocket, a snapshot every {SNAPSHOT_EVERY} steps",
        against="no snapshots",
        theirs=without,
        ours=with_snapshots,
        must=0.97,
        aim=0.99,
    )


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print(HEADER, flush=True)
    print(resuming(), flush=True)
    print(snapshotting(), flush=True)


if __name__ == "__main__":
    main()
