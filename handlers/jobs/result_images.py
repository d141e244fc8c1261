"""A job's recorded pictures as a message shows them."""

import re
from dataclasses import dataclass

from handlers.context.context import Studio
from handlers.images.grid import is_shown
from handlers.jobs.kinds import job_title
from handlers.messages.message import ShownPicture
from handlers.messages.nsfw import Manner, mature_manner, withheld_sentence
from storage.guilds.guilds import GuildSettings
from storage.queue.images import Picture
from storage.queue.jobs import Job
from storage.queue.reply_address import ReplyAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The pictures that may be seen, and the sentence that says why others are `withheld`, empty if none are."""

    pictures: tuple[ShownPicture, ...]
    withheld: str = ""


async def shown_pictures(job: Job, address: ReplyAddress, studio: Studio) -> Shown:
    """The pictures of `job` that are recorded, with their bytes, as its guild wants them shown at `address`."""
    title = job_title(job)
    recorded = await studio.queue.pictures(job.guild_id, job.id)
    pictures = [picture for picture in recorded if is_shown(picture, job)]
    mature = sum(picture.mature for picture in pictures)
    if not mature:
        return Shown(pictures=tuple([await _shown(picture, title, studio) for picture in pictures]))
    guild = await studio.guilds.get(job.guild_id)
    choice = (guild.settings if guild else GuildSettings()).mature
    manner = mature_manner(choice, address)
    withheld = manner is Manner.WITHHELD
    seen = [picture for picture in pictures if not (picture.mature and withheld)]
    return Shown(
        pictures=tuple([await _shown(picture, title, studio, hidden=manner is Manner.HIDDEN) for picture in seen]),
        withheld=withheld_sentence(mature, choice, address.platform) if withheld else "",
    )


async def _shown(picture: Picture, title: str, studio: Studio, *, hidden: bool = False) -> ShownPicture:
    return ShownPicture(
        data=await studio.blobs.get(picture.blob),
        file_name=f"{file_stem(title)}-{picture.job_id}-{picture.index + 1}.png",
        alt_text=title,
        spoiler=hidden and picture.mature,
    )


def file_stem(prompt: str) -> str:
    """A short file name from a prompt: letters, digits and dashes only."""
    words = re.findall(r"[a-z0-9]+", prompt.casefold())
    return "-".join(words)[:40].strip("-") or "picture"
