"""The pool of a test: the real worker and the real delivery, with a device of paper."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.assembly.runtime import Runtime, build_delivery
from handlers.commands.context import AppContext
from handlers.messages.chat_platform import ChatPlatform
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from tests.fakes import FakeDevice, images_opened_here


@asynccontextmanager
async def rendering(context: AppContext, device: FakeDevice) -> AsyncIterator[None]:
    """Render until the block ends."""
    stop = asyncio.Event()
    worker = Worker(
        name="worker",
        queue=context.queue,
        blobs=context.blobs,
        costs=context.costs,
        jobs=JOBS,
        devices=(device,),
        images=images_opened_here(),
        drain_seconds=0,
    )
    running = asyncio.create_task(worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


@asynccontextmanager
async def working(runtime: Runtime, chat: ChatPlatform, device: FakeDevice) -> AsyncIterator[None]:
    """Render and deliver until the block ends."""
    stop = asyncio.Event()
    delivering = asyncio.create_task(build_delivery(runtime, chat).run(stop))
    try:
        async with rendering(runtime.context, device):
            yield
    finally:
        stop.set()
        await delivering
