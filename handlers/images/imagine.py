"""/imagine: from a prompt to queued jobs."""

from dataclasses import replace
from typing import Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.permissions import check_permission
from handlers.images.new_request import new_requests
from handlers.images.options import ImagineOptions
from handlers.images.submission import submit
from handlers.jobs.job_spec import NoRoom
from handlers.messages.message import Button, Message, Verb
from handlers.prompts.syntax import expand

_SHOWN_PROMPTS: Final = 8


async def imagine(caller: Caller, options: ImagineOptions, context: AppContext) -> Message:
    """Queue the image that the member describes and say when it will come."""
    check_permission(caller, COMMAND.name)
    facts = context.model(options.model or caller.guild.settings.default_model)
    requests = await new_requests(options, facts, caller, context)
    if len(requests) == 1:
        return await submit(caller, context, requests[0], facts)
    if not options.all:
        return await _ask_for_all(caller, options, context)
    each = replace(caller, reply=replace(caller.reply, message_id=None))
    for queued, request in enumerate(requests):
        try:
            await submit(each, context, request, facts)
        except NoRoom as error:
            if not queued:
                raise
            return Message(headline=f"{queued} of {len(requests)} are on their way; {error}", private=True)
    return Message(headline=f"{len(requests)} are on their way; each comes as a message of its own.", private=True)


async def _ask_for_all(caller: Caller, options: ImagineOptions, context: AppContext) -> Message:
    """Ask before one line becomes many jobs."""
    values = replace(options, all=True).texts()
    everything = await context.calls.save(caller.guild.id, caller.member.id, COMMAND.name, values)
    prompts = expand(options.prompt.strip())
    images = len(prompts) * (options.count or 1)
    shown = prompts[:_SHOWN_PROMPTS]
    more = (f"and {len(prompts) - len(shown)} more",) if len(prompts) > len(shown) else ()
    return Message(
        headline=f"This stands for {len(prompts)} prompts, {images} pictures. Make them all?",
        lines=(*shown, *more),
        buttons=((Button(verb=Verb.CALL, target=everything, label="Make all"),),),
        private=True,
    )


COMMAND: Final = Command(
    name="imagine",
    help="Make pictures from words",
    example="/imagine red fox, glossy style, teal background",
    takes=ImagineOptions,
    handler=imagine,
    notes=(
        "(word:1.3) counts for more, (word:0.7) for less, up to 2 and down to 0; (word) is 1.1, [word] a little less",
        r"\( and \) are brackets that weigh nothing, and so is a bracket without its partner",
        "{red|blue} fox stands for two prompts",
        "[red:blue:0.5] changes from red to blue at half of the steps, [cow|horse] at every step",
    ),
)
