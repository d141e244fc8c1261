"""The button "Use the same control": the form of the command that made an image, with its map already in hand."""

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.forms import Form, edit_form
from handlers.images.control import command_name
from handlers.images.earlier_request import controlled_request
from handlers.images.edit import COMMAND as EDIT
from handlers.images.options import request_values
from storage.queue.jobs import Job


async def same_control_form(job: Job, _index: int, caller: Caller, context: AppContext) -> Form:
    """The form of /control or /edit, filled as the image was asked for, but for the seed; it asks for no file."""
    request = await controlled_request(caller, context, job.id)
    use = request.controls[0]
    if request.start is None:
        command = context.command(command_name(use.kind))
        own = {"weight": use.scale, "start": use.start, "end": use.end, "mode": use.mode.value}
    else:
        command = EDIT
        own = {"strength": request.start.strength, "control-scale": use.scale}
    known = {option.name for option in command.options} - {"seed"}
    values = {name: value for name, value in (request_values(request) | own).items() if name in known}
    return await edit_form(command, values | {"base": job.id}, caller, context)
