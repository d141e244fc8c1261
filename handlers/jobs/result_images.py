"""A job's recorded images as a message shows them."""

import re
from dataclasses import dataclass

from handlers.commands.actions import SendDirect
from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.messages.message import Message, Mood, ShownImage
from handlers.messages.nsfw import NsfwDisplay, nsfw_display, withheld_sentence
from pipeline.errors import UserError
from storage.guilds.guilds import GuildSettings
from storage.queue.images import StoredImage
from storage.queue.jobs import Job
from storage.queue.reply_address import ReplyAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The images that may be seen, and the sentence that says why others are `withheld`, empty if none are."""

    images: tuple[ShownImage, ...]
    withheld: str = ""


async def shown_images(job: Job, address: ReplyAddress, context: AppContext) -> Shown:
    """The images of `job` that are recorded, with their bytes, as its guild wants them shown at `address`."""
    title = context.jobs.title(job)
    recorded = await context.queue.images(job.guild_id, job.id)
    images = [image for image in recorded if context.jobs.is_shown(image, job)]
    nsfw = sum(image.nsfw for image in images)
    if not nsfw:
        return Shown(images=tuple([await _shown(image, title, context) for image in images]))
    guild = await context.guilds.get(job.guild_id)
    choice = (guild.settings if guild else GuildSettings()).nsfw
    manner = nsfw_display(choice, address)
    withheld = manner is NsfwDisplay.WITHHELD
    seen = [image for image in images if not (image.nsfw and withheld)]
    return Shown(
        images=tuple([await _shown(image, title, context, hidden=manner is NsfwDisplay.HIDDEN) for image in seen]),
        withheld=withheld_sentence(nsfw, choice, address.platform) if withheld else "",
    )


async def save(job: Job, _index: int, caller: Caller, context: AppContext) -> SendDirect:
    """The button that sends what a job made to the one who clicks; raises UserError where there is nothing to see."""
    shown = await shown_images(job, caller.reply, context)
    if not shown.images:
        raise UserError(shown.withheld or "This job has no picture to send yet; wait until it is done.")
    if job.member_id == caller.member.id:
        await context.outbox.mark_fetched(job.id)
    lines = (shown.withheld,) if shown.withheld else ()
    headline = context.jobs.title(job)
    message = Message(headline=headline, mood=Mood.DONE, lines=lines, images=shown.images, job_id=job.id)
    return SendDirect(message=message, sent="Sent to you in a direct message.")


async def _shown(image: StoredImage, title: str, context: AppContext, *, hidden: bool = False) -> ShownImage:
    return ShownImage(
        data=await context.blobs.get(image.blob),
        file_name=f"{file_stem(title)}-{image.job_id}-{image.index + 1}.png",
        alt_text=title,
        spoiler=hidden and image.nsfw,
    )


def file_stem(prompt: str) -> str:
    """A short file name from a prompt: letters, digits and dashes only."""
    words = re.findall(r"[a-z0-9]+", prompt.casefold())
    return "-".join(words)[:40].strip("-") or "picture"
