"""The program of a device that computes nothing, for `benchmarks.chaos`: it hears and says what a real one does."""

import hashlib
import os
import queue
import threading
from dataclasses import dataclass
from typing import BinaryIO, Final

from PIL import Image

from pipeline.images.metadata import ImageMetadata, encode
from pipeline.processes import frames
from pipeline.processes.program import open_frames
from pipeline.requests.device_messages import (
    Cancel,
    Command,
    DrawMap,
    Dropped,
    Event,
    Expect,
    Ready,
    Refused,
    Render,
    Rendered,
    Shutdown,
    Stepped,
    Suspend,
    Suspended,
)

_STEP_SECONDS: Final = 0.05
_SNAPSHOT_EVERY: Final = 2


@dataclass(slots=True)
class _Running:
    """An image on its way; its snapshot is the number of steps that are done."""

    order: Render
    step: int

    @property
    def snapshot(self) -> bytes:
        return str(self.step).encode()

    def next_event(self) -> Event:
        ticket, request = self.order.ticket, self.order.request
        self.step += 1
        if self.step >= request.steps:
            return Rendered(ticket=ticket, png=_image(self.order), device_seconds=_STEP_SECONDS * request.steps)
        snapshot = None if self.step % _SNAPSHOT_EVERY else self.snapshot
        return Stepped(ticket=ticket, step=self.step, steps=request.steps, snapshot=snapshot)


def _main() -> None:
    stream, say = open_frames()
    frames.read(stream)
    commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(stream, commands), daemon=True).start()
    say(Ready(description="a device that computes nothing"))
    running: dict[str, _Running] = {}
    while True:
        try:
            event = _obey(commands.get(timeout=_STEP_SECONDS if running else None), running)
        except queue.Empty:
            for ticket, image in list(running.items()):
                event = image.next_event()
                if isinstance(event, Rendered):
                    del running[ticket]
                say(event)
        else:
            if event is not None:
                say(event)


def _listen(stream: BinaryIO, commands: "queue.SimpleQueue[Command]") -> None:
    """Pass commands on; the end of the stream means that the worker is gone."""
    while (command := frames.read(stream)) is not None:
        assert isinstance(command, Command), "a worker sends commands"
        commands.put(command)
    os._exit(0)


def _obey(command: Command, running: dict[str, _Running]) -> Event | None:
    match command:
        case Render(ticket=ticket, snapshot=snapshot):
            running[ticket] = _Running(command, int(snapshot or b"0"))
            return None
        case Cancel(ticket=ticket):
            return Dropped(ticket=ticket) if running.pop(ticket, None) else None
        case Suspend(ticket=ticket):
            image = running.pop(ticket, None)
            return Suspended(ticket=ticket, snapshot=image.snapshot) if image else None
        case DrawMap(ticket=ticket):
            return Refused(ticket=ticket, sentence="No maps are drawn here.")
        case Expect():
            return None
        case Shutdown():
            os._exit(0)


def _image(order: Render) -> bytes:
    """An image of a few pixels that no other request has."""
    request = order.request
    colours = hashlib.sha256(f"{request.prompt} {request.seed}".encode()).digest()
    image = Image.frombytes("RGB", (2, 5), colours[:30])
    info = ImageMetadata(
        made_from=request, model_name=request.model, model_hash="0" * 10, bucket=2, device="none", dtype="none",
        versions=(),
    )  # fmt: skip
    return encode(image.resize((64, 64), Image.Resampling.NEAREST), info)


if __name__ == "__main__":
    _main()
