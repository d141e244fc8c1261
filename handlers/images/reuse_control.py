"""The button "Use the same control": the form of the command that made an image, with its map already in hand."""

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.form import Form
from handlers.commands.forms import edit_form
from handlers.commands.options import Options
from handlers.images.control import ControlOptions, KeepingOptions, command_name
from handlers.images.earlier_request import controlled_request
from handlers.images.edit import COMMAND as EDIT
from handlers.images.edit import EditOptions
from handlers.images.options import DrawingOptions, request_options
from storage.queue.jobs import Job


async def same_control_form(job: Job, _index: int, caller: Caller, context: AppContext) -> Form:
    """The form of /control or /edit, filled as the image was asked for, but for the seed; it asks for no file."""
    request = await controlled_request(caller, context, job.id)
    asked, use = request_options(request), request.controls[0]
    drawing = DrawingOptions(steps=asked.steps, lora=asked.lora, guidance=asked.guidance, model=asked.model)
    options: Options
    if request.start is None:
        command = context.command(command_name(use.kind))
        keeping = KeepingOptions(
            start=use.start, end=use.end, mode=use.mode, negative=asked.negative, count=asked.count, drawing=drawing
        )
        options = ControlOptions(prompt=asked.prompt, weight=use.scale, keeping=keeping, base=job.id)
    else:
        command = EDIT
        options = EditOptions(
            prompt=asked.prompt, strength=request.start.strength, control_scale=use.scale, negative=asked.negative,
            count=asked.count, drawing=drawing, base=job.id,
        )  # fmt: skip
    return await edit_form(command, options.given(), caller, context, kept={"base"})
