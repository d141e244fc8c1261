"""A job's way to its end, without a device."""

from handlers.commands.context import AppContext
from storage.guilds.guilds import Guild
from storage.queue.images import NewImage
from storage.queue.jobs import Done
from tests.fakes import png, request


async def finish(context: AppContext, guild: Guild) -> None:
    """Claim the next job and finish it with one image."""
    claim = await context.queue.claim("worker")
    assert claim is not None
    blob = await context.blobs.put(png(request()))
    image = NewImage(index=0, blob=blob, width=64, height=64, seed=7, parameters="")
    await context.queue.record_image(claim, image)
    await context.queue.settle(claim, Done(device_seconds=3.1))
