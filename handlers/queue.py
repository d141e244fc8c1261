"""/queue: what waits and renders, whose turn comes when."""

from typing import Final

from handlers.call import Call
from handlers.command import Command
from handlers.job_messages import progress_words, seconds_words
from handlers.job_title import job_title
from handlers.message import Message
from handlers.studio import Studio
from storage.jobs import OPEN_STATES, Job, JobState

_SHOWN: Final = 10
_PROMPT_LENGTH: Final = 60


async def queue(call: Call, studio: Studio) -> Message:
    """The caller's open jobs with their places, and how busy the guild is."""
    mine = await studio.queue.member_jobs(call.guild.id, call.member.id, states=OPEN_STATES, limit=_SHOWN)
    everyone = await studio.queue.guild_jobs(call.guild.id, states=OPEN_STATES, limit=100)
    lines = [await _line(call, studio, job) for job in mine]
    others = len(everyone) - sum(job.member_id == call.member.id for job in everyone)
    if others:
        lines.append(f"{others} of other members.")
    headline = "Your pictures on the way:" if mine else "Nothing of yours is waiting."
    return Message(headline=headline, lines=tuple(lines), private=True)


async def _line(call: Call, studio: Studio, job: Job) -> str:
    prompt = job_title(job)
    if len(prompt) > _PROMPT_LENGTH:
        prompt = prompt[: _PROMPT_LENGTH - 1] + "…"
    if job.state is JobState.RUNNING:
        return f"{job.id}: {prompt} · {progress_words(job)}" if job.steps else f"{job.id}: {prompt} · starting"
    place = await studio.queue.place(call.guild.id, job.id)
    if place is None:
        return f"{job.id}: {prompt}"
    return f"{job.id}: {prompt} · {place.before} before it, {seconds_words(place.seconds)}"


COMMAND: Final = Command(name="queue", help="What waits and renders", example="/queue", handler=queue, private=True)
