"""Fakes behind our own Protocols: they record what was asked of them, and do what a test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from PIL import Image
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.messages.chat_platform import TryLater, Undeliverable
from handlers.messages.message import Message
from pipeline.control.control_map import drawn
from pipeline.images.image_process import ImageLimits, ImageProcesses
from pipeline.images.metadata import ImageMetadata, encode
from pipeline.requests.device_messages import (
    DrawMap,
    Dropped,
    Event,
    Lost,
    Order,
    Ready,
    Refused,
    Render,
    Rendered,
    Stepped,
    Suspended,
)
from pipeline.requests.image_request import ImageRequest
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress


def request(prompt: str = "red fox", **changes: Any) -> ImageRequest:
    """A small valid request."""
    values: dict[str, Any] = {
        "prompt": prompt, "width": 64, "height": 64, "steps": 2, "guidance_scale": 5.0, "seed": 7, "model": "pocket",
    }  # fmt: skip
    return ImageRequest(**{**values, **changes})


def png(of: ImageRequest) -> bytes:
    """An image that tells its request apart from others: its colour is its seed's."""
    image = Image.new("RGB", (8, 8), (of.seed % 256, of.seed // 256 % 256, 0))
    info = ImageMetadata(
        made_from=of, model_name=of.model, model_hash="0" * 10, bucket=2, device="fake", dtype="float32", versions=()
    )
    return encode(image, info)


@dataclass(slots=True)
class FakeDevice:
    """A device that renders when a test says so, or at once when `eager`; the first `bad_loads` starts fail.

    Asked to suspend, it sends the snapshot in `to_suspend` of the ticket's index, unless it is `deaf`. Every map is
    refused with the sentence `no_maps`, where there is one.
    """

    name: str = "fake"
    eager: bool = True
    bad_loads: int = 0
    deaf: bool = False
    no_maps: str = ""
    to_suspend: dict[int, bytes] = field(default_factory=dict)
    submitted: list[Render] = field(default_factory=list)
    maps: list[DrawMap] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    expected: list[ImageRequest] = field(default_factory=list)
    starts: int = 0
    closed: bool = False
    _events: asyncio.Queue[Event | None] = field(default_factory=asyncio.Queue)

    async def start(self) -> None:
        self.starts += 1
        good = self.starts > self.bad_loads
        self.say(Ready(description="a fake") if good else Lost(why="The weights are damaged; pull the model again."))

    async def kill(self) -> None:
        self.die()

    async def restart(self) -> None:
        await self.start()

    async def submit(self, order: Order) -> None:
        if isinstance(order, DrawMap):
            self.maps.append(order)
        else:
            self.submitted.append(order)
        if self.eager:
            self.finish(order)

    async def cancel(self, ticket: str) -> None:
        self.cancelled.append(ticket)
        self.say(Dropped(ticket=ticket))

    async def suspend(self, ticket: str) -> None:
        if not self.deaf:
            self.say(Suspended(ticket=ticket, snapshot=self.to_suspend.get(int(ticket.rpartition(".")[2]))))

    async def expect(self, request: ImageRequest) -> None:
        self.expected.append(request)

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        self.closed = True
        self._events.put_nowait(None)

    def say(self, event: Event) -> None:
        """Send an event to the listener."""
        self._events.put_nowait(event)

    def step(self, render: Render, step: int, preview: bytes | None = None, snapshot: bytes | None = None) -> None:
        """Report progress of a submitted image."""
        steps = render.request.steps
        self.say(Stepped(ticket=render.ticket, step=step, steps=steps, preview=preview, snapshot=snapshot))

    def finish(self, order: Order) -> None:
        """Finish a submitted image, or draw a submitted map, which takes no device."""
        match order:
            case Render():
                self.say(Rendered(ticket=order.ticket, png=png(order.request), device_seconds=1.0))
            case DrawMap() if self.no_maps:
                self.say(Refused(ticket=order.ticket, sentence=self.no_maps))
            case DrawMap():
                self.say(drawn(order))

    def die(self) -> None:
        """Lose everything, as a killed process does."""
        self.say(Lost(why="killed by a test"))


def images_opened_here() -> ImageProcesses:
    """Images opened in this process, as the programs do it: for tests of what is made of them."""

    async def open_here(program: str, order: Mapping[str, Any], _limits: ImageLimits) -> dict[str, Any]:
        answer: dict[str, Any] = import_module(program).work(json.loads(json.dumps(order, default=str)))
        return answer

    return ImageProcesses(opener=open_here)


@dataclass(slots=True)
class FakeChat:
    """A chat platform that remembers what it was given; `troubles` are raised by the next deliveries, in turn."""

    platform: Platform = Platform.TERMINAL
    application_id: str = ""
    seconds_between_edits: float = 3.0
    delivered: list[tuple[ReplyAddress, Message]] = field(default_factory=list)
    progress: list[Message] = field(default_factory=list)
    troubles: list[TryLater | Undeliverable | Exception] = field(default_factory=list)

    async def show_progress(self, address: ReplyAddress, message: Message) -> None:
        self.progress.append(message)

    async def deliver(self, address: ReplyAddress, message: Message, nonce: str) -> str:
        if self.troubles:
            raise self.troubles.pop(0)
        self.delivered.append((address, message))
        return f"message {len(self.delivered)}"


@dataclass(slots=True)
class FakeClock:
    """A clock that moves when a test says so; the wall clock may be `ahead` of it."""

    now: float = 1_000_000.0
    ahead: float = 0.0

    def __call__(self) -> float:
        return self.now

    async def read(self, connection: AsyncConnection) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.ahead

    def advance(self, seconds: float) -> None:
        self.now += seconds
