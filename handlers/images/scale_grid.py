"""/lora mix: one image of LoRAs at several scales beside each other, to choose from."""

from dataclasses import dataclass
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Details
from handlers.commands.options import Options
from handlers.commands.parsing import write_text
from handlers.commands.permissions import check_permission
from handlers.images.grid import ScaleGrid, record_sheet
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.images.new_request import one_request
from handlers.images.options import DrawingOptions, ImagineOptions, Private, Steps
from handlers.images.submission import request_cost, submit
from handlers.jobs.job_spec import Cost, JobSpec, without_context
from handlers.jobs.payloads import REQUEST
from handlers.messages.job_status import waited_long
from handlers.messages.message import Button, Message, Mood, ShownImage, Verb
from handlers.prompts.loras import check_scales, find_lora, read_mentions
from handlers.prompts.syntax import mentions_text
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_SEED, ImageRequest
from storage.queue.jobs import Job, JobKind


@dataclass(frozen=True, slots=True, kw_only=True)
class MixOptions(Options):
    """The options of /lora mix."""

    lora: Annotated[
        str,
        Details(
            "One or two to vary, such as crayon:0.6 film:0.4; more stay as they are",
            rest=True,
            completion=Completion.LORAS,
            repeats=True,
        ),
    ]
    prompt: Annotated[str | None, Details("What the pictures show")] = None
    seed: Annotated[int | None, Details("The same seed repeats the pictures", low=0, high=MAX_SEED)] = None
    steps: Steps = None
    model: Annotated[str | None, Details("Which model draws them", completion=Completion.MODELS)] = None
    private: Private = None


async def mix_loras(caller: Caller, options: MixOptions, context: AppContext) -> Message:
    """Queue the same image at the scales around those that the member names."""
    check_permission(caller, COMMAND.name)
    mentions = read_mentions(options.lora)
    if not mentions:
        raise InvalidRequest("lora", f"/lora mix needs a LoRA: {COMMAND.example}")
    if sided := next((mention for mention in mentions if "=" in (mention.blocks or "")), None):
        raise InvalidRequest("lora", f"'{sided.blocks}' are scales, which /lora mix sets itself; write lbw= instead.")
    prompt = options.prompt
    if not (prompt or "").strip():
        first = await find_lora(mentions[0].name, caller, context)
        prompt = first.trigger_words or first.name
    drawing = DrawingOptions(seed=options.seed, steps=options.steps, lora=options.lora, model=options.model)
    request, facts = await one_request(drawing, caller, context, prompt=prompt)
    for image in ScaleGrid.of(request).images:
        # Or block weights that one of the scales makes too large would fail in the queue.
        check_scales(image.loras, facts.family, caller.guild.settings)
    return await submit(caller, context, request, facts, JobKind.MIX_LORAS)


def loras_mixed(job: Job, images: tuple[ShownImage, ...]) -> Message:
    """The sheet, and how to have one of its images."""
    request = REQUEST.read(job.payload)
    alone = ImagineOptions(
        prompt=request.prompt, lora=mentions_text(request.loras), seed=request.seed, steps=request.steps
    )
    return Message(
        headline=request.prompt,
        mood=Mood.DONE,
        lines=("To have one of these alone, write this with its scales:",),
        code=write_text(IMAGINE, alone.texts()),
        images=images,
        buttons=((Button(verb=Verb.DELETE, target=job.id, label="Delete"),),),
        mentions=waited_long(job),
        job_id=job.id,
    )


async def _cost(request: ImageRequest, context: AppContext) -> Cost:
    return await request_cost(request, context, times=len(ScaleGrid.of(request).images))


COMMAND: Final = Command(
    name="lora mix",
    help="LoRAs at several scales, side by side",
    example="/lora mix crayon:0.6 film:0.4 --prompt a fox",
    takes=MixOptions,
    handler=mix_loras,
)

JOB: Final = JobSpec(
    kind=JobKind.MIX_LORAS,
    payload=REQUEST,
    title=lambda request: request.prompt,
    cost=_cost,
    blobs=lambda request: request.image_keys,
    loras=lambda request: request.lora_keys,
    done=without_context(loras_mixed),
    failed="The pictures could not be made; try again.",
    images=lambda request: ScaleGrid.of(request).images,
    record_sheet=record_sheet,
)
