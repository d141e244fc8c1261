"""/privacy: what is kept of a member, handed out or deleted at once."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Final, Literal, assert_never

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.forms import call_button
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.messages.message import Attachment, Message
from storage.queue.jobs import OPEN_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyOptions(Options):
    """The options of /privacy."""

    what: Annotated[Literal["export", "delete"] | None, Details("What to do; nothing explains", rest=True)] = None
    confirm: Annotated[bool | None, Details("Delete without asking again", advanced=True)] = None


async def privacy(caller: Caller, options: PrivacyOptions, context: AppContext) -> Message:
    """Say what is kept; export it; or, once confirmed, delete it."""
    match options.what:
        case None:
            return await _explain(caller, context)
        case "export":
            return await _export(caller, context)
        case "delete":
            return await _delete(caller, context) if options.confirm else await _ask(caller, context)
        case _:
            assert_never(options.what)


async def _explain(caller: Caller, context: AppContext) -> Message:
    added = await context.loras.owned(caller.guild.id, caller.member.id)
    kept = await context.members.export(caller.guild.id, caller.member.id)
    return Message(
        headline="What is kept of you here",
        lines=(
            f"{len(kept)} jobs with their prompts, parameters and pictures, until they are old or you delete them.",
            f"{len(added)} LoRAs that you added; deleting takes the private ones; the others stay the server's.",
            "/privacy export gives them to you, /privacy delete deletes them at once.",
            "What admins changed in the settings stays in the audit log with their names.",
        ),
        private=True,
    )


async def _export(caller: Caller, context: AppContext) -> Message:
    added = await context.loras.owned(caller.guild.id, caller.member.id)
    kept = await context.members.export(caller.guild.id, caller.member.id)
    export = {
        "guild": caller.guild.name,
        "member": {"id": caller.member.id, "name": caller.member.name},
        "jobs": [{**asdict(job), "payload": json.loads(job.payload)} for job in kept],
        "loras": [asdict(lora) for lora in added],
    }
    data = json.dumps(export, indent=2, ensure_ascii=False).encode()
    return Message(
        headline="Everything that is kept of you here",
        lines=(f"{len(kept)} jobs and {len(added)} LoRAs, as JSON.",),
        files=(Attachment(data=data, file_name="limner-export.json"),),
        private=True,
    )


async def _ask(caller: Caller, context: AppContext) -> Message:
    kept = await context.members.export(caller.guild.id, caller.member.id)
    confirmed = await call_button(
        caller, context, COMMAND.name, PrivacyOptions(what="delete", confirm=True), "Delete everything"
    )
    return Message(
        headline=f"Delete all {len(kept)} of your jobs, their pictures and your private LoRAs?",
        lines=("What still waits or renders is cancelled. Messages already in a channel stay until you delete them.",),
        buttons=((confirmed,),),
        private=True,
    )


async def _delete(caller: Caller, context: AppContext) -> Message:
    jobs = await context.queue.member_jobs(caller.guild.id, caller.member.id, states=OPEN_STATES)
    for job in jobs:
        await context.queue.cancel(caller.guild.id, job.id)
    count = await context.members.delete(caller.guild.id, caller.member.id)
    return Message(headline=f"Deleted: {count} jobs, their pictures and your private LoRAs.", private=True)


COMMAND: Final = Command(
    name="privacy",
    help="See, export or delete what is kept of you",
    example="/privacy export",
    takes=PrivacyOptions,
    handler=privacy,
    private=True,
)
