"""The pool of a test: the real worker and the real delivery, with a device of paper."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.assembly import Workshop, build_delivery
from handlers.chat_platform import ChatPlatform
from handlers.worker import Worker
from tests.fakes import FakeDevice


@asynccontextmanager
async def working(workshop: Workshop, chat: ChatPlatform, device: FakeDevice) -> AsyncIterator[None]:
    """Render and deliver until the block ends."""
    stop = asyncio.Event()
    studio = workshop.studio
    worker = Worker(
        name="worker", queue=studio.queue, blobs=studio.blobs, costs=studio.costs, devices=(device,), drain_seconds=0
    )
    delivery = build_delivery(workshop, chat)
    running = [asyncio.create_task(worker.run(stop)), asyncio.create_task(delivery.run(stop))]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*running)
