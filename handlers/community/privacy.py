"""/privacy: what is kept of a member, handed out or deleted at once."""

import json
from dataclasses import asdict
from typing import Final

from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Option, OptionKind
from handlers.messages.message import Attachment, Button, Message, Verb
from pipeline.errors import InvalidRequest
from storage.queue.jobs import OPEN_STATES

_EXPORT: Final = "export"
_DELETE: Final = "delete"


async def privacy(call: Call, context: AppContext) -> Message:
    """Say what is kept; export it; or, once confirmed, delete it."""
    match call.arguments.text("what"):
        case None:
            return await _explain(call, context)
        case "export":
            return await _export(call, context)
        case "delete":
            return await _delete(call, context) if call.arguments.switch("confirm") else await _ask(call, context)
        case other:
            raise InvalidRequest("what", f"/privacy cannot {other}; write /privacy export or /privacy delete.")


async def _explain(call: Call, context: AppContext) -> Message:
    added = await context.loras.owned(call.guild.id, call.member.id)
    kept = await context.members.export(call.guild.id, call.member.id)
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


async def _export(call: Call, context: AppContext) -> Message:
    added = await context.loras.owned(call.guild.id, call.member.id)
    kept = await context.members.export(call.guild.id, call.member.id)
    export = {
        "guild": call.guild.name,
        "member": {"id": call.member.id, "name": call.member.name},
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


async def _ask(call: Call, context: AppContext) -> Message:
    kept = await context.members.export(call.guild.id, call.member.id)
    confirmed = await context.calls.save(
        call.guild.id, call.member.id, COMMAND.name, {"what": _DELETE, "confirm": "on"}
    )
    return Message(
        headline=f"Delete all {len(kept)} of your jobs, their pictures and your private LoRAs?",
        lines=("What still waits or renders is cancelled. Messages already in a channel stay until you delete them.",),
        buttons=((Button(verb=Verb.CALL, target=confirmed, label="Delete everything"),),),
        private=True,
    )


async def _delete(call: Call, context: AppContext) -> Message:
    jobs = await context.queue.member_jobs(call.guild.id, call.member.id, states=OPEN_STATES, limit=1000)
    for job in jobs:
        await context.queue.cancel(call.guild.id, job.id)
    count = await context.members.delete(call.guild.id, call.member.id)
    return Message(headline=f"Deleted: {count} jobs, their pictures and your private LoRAs.", private=True)


COMMAND: Final = Command(
    name="privacy",
    help="See, export or delete what is kept of you",
    example="/privacy export",
    handler=privacy,
    private=True,
    options=(
        Option(
            name="what",
            help="What to do; nothing explains",
            kind=OptionKind.CHOICE,
            choices=(_EXPORT, _DELETE),
            rest=True,
        ),
        Option(name="confirm", help="Delete without asking again", kind=OptionKind.SWITCH, advanced=True),
    ),
)
