"""/lora mix: one image of LoRAs at several scales beside each other, to choose from."""

from dataclasses import replace
from typing import Final

from handlers.commands.arguments import Arguments
from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Option, OptionKind
from handlers.commands.parsing import write_text
from handlers.commands.permissions import check_permission
from handlers.images.grid import ScaleGrid, record_sheet
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.images.imagine import one_request, submit
from handlers.jobs.job_spec import JobSpec, prompt_of, without_context
from handlers.jobs.payloads import read_request
from handlers.messages.job_status import ended, waited_long
from handlers.messages.message import Button, Message, Mood, ShownImage, Verb
from handlers.prompts.loras import find_lora, read_mentions
from handlers.prompts.syntax import mentions_text
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_SEED, MAX_STEPS
from storage.queue.jobs import Job, JobKind, JobState


async def mix_loras(call: Call, context: AppContext) -> Message:
    """Queue the same image at the scales around those that the member names."""
    check_permission(call, COMMAND.name)
    mentions = read_mentions(call.arguments.text("lora") or "")
    if not mentions:
        raise InvalidRequest("lora", f"/lora mix needs a LoRA: {COMMAND.example}")
    values = dict(call.arguments.values)
    if not (call.arguments.text("prompt") or "").strip():
        first = await find_lora(mentions[0].name, call, context)
        values["prompt"] = first.trigger_words or first.name
    request = await one_request(replace(call, arguments=Arguments.check(COMMAND, values)), context)
    return await submit(call, context, request, kind=JobKind.MIX_LORAS, times=len(ScaleGrid.of(request).images))


def loras_mixed(job: Job, images: tuple[ShownImage, ...]) -> Message:
    """The end of the job: the sheet and how to have one of its images, or why there is none."""
    request = read_request(job.payload)
    values = {"prompt": request.prompt, "lora": mentions_text(request.loras), "seed": str(request.seed)}
    match job.state:
        case JobState.DONE:
            return Message(
                headline=request.prompt,
                mood=Mood.DONE,
                lines=("To have one of these alone, write this with its scales:",),
                code=write_text(IMAGINE, {**values, "steps": str(request.steps)}),
                images=images,
                buttons=((Button(verb=Verb.DELETE, target=job.id, label="Delete"),),),
                mentions=waited_long(job),
                job_id=job.id,
            )
        case JobState.CANCELLED:
            return ended(job, request.prompt, Mood.CALM, "Cancelled.")
        case _:
            sentence = job.error or "The pictures could not be made; try again."
            return ended(job, request.prompt, Mood.FAILED, sentence)


COMMAND: Final = Command(
    name="lora mix",
    help="LoRAs at several scales, side by side",
    example="/lora mix crayon:0.6 film:0.4 --prompt a fox",
    handler=mix_loras,
    options=(
        Option(
            name="lora",
            help="One or two to vary, such as crayon:0.6 film:0.4; more stay as they are",
            required=True,
            rest=True,
            completion=Completion.LORAS,
        ),
        Option(name="prompt", help="What the pictures show"),
        Option(name="seed", help="The same seed repeats the pictures", kind=OptionKind.INTEGER, low=0, high=MAX_SEED),
        Option(name="steps", help="Denoising steps", kind=OptionKind.INTEGER, low=1, high=MAX_STEPS),
        Option(name="model", help="Which model draws them", completion=Completion.MODELS),
        Option(name="private", help="For your eyes only", kind=OptionKind.SWITCH),
    ),
)

JOB: Final = JobSpec(
    kind=JobKind.MIX_LORAS,
    title=prompt_of,
    final_message=without_context(loras_mixed),
    images=lambda request: ScaleGrid.of(request).images,
    record_sheet=record_sheet,
)
