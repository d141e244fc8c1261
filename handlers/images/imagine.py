"""/imagine: from a prompt to a queued job, and how its request is written down."""

import re
from dataclasses import replace
from typing import Final

from handlers.commands.arguments import Arguments, Value, value_text
from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Option, OptionKind
from handlers.commands.permissions import check_permission
from handlers.jobs.job_spec import JobSpec, prompt_of, without_context
from handlers.jobs.payloads import read_request, write_request
from handlers.messages.job_status import finished, waiting
from handlers.messages.message import Button, Message, ShownImage, Verb
from handlers.prompts.aspect_ratio import ASPECTS, size_for
from handlers.prompts.loras import with_loras
from handlers.prompts.syntax import check_weights, expand, mentions_text
from pipeline.errors import InvalidRequest
from pipeline.models.metadata import ModelFacts
from pipeline.requests.image_request import (
    MAX_COUNT,
    MAX_GUIDANCE_SCALE,
    MAX_SEED,
    MAX_SIZE,
    MAX_STEPS,
    MIN_SIZE,
    ImageRequest,
    Scheduler,
    Variation,
)
from storage.queue.jobs import Job, JobKind, NewJob

_SHOWN_PROMPTS: Final = 8


async def imagine(call: Call, context: AppContext) -> Message:
    """Queue the image that the member describes and say when it will come."""
    check_permission(call, COMMAND.name)
    facts = context.model(call.arguments.text("model") or call.guild.settings.default_model)
    asked = await _based(_request(call.arguments, facts, context.new_seed()), call, context)
    prompts = expand(asked.prompt)
    check_weights(prompts, asked.negative_prompt)
    lora = call.arguments.text("lora") or ""
    requests = [await with_loras(replace(asked, prompt=prompt), lora, call, context) for prompt in prompts]
    if len(requests) == 1:
        return await submit(call, context, requests[0])
    if call.arguments.switch("all"):
        return await _submit_all(call, context, requests)
    return await _ask_for_all(call, context, asked, prompts)


async def one_request(call: Call, context: AppContext) -> ImageRequest:
    """What the caller's options ask for, for commands that begin with an image; raises InvalidRequest."""
    facts = context.model(call.arguments.text("model") or call.guild.settings.default_model)
    asked = _request(call.arguments, facts, context.new_seed())
    prompts = expand(asked.prompt)
    if len(prompts) > 1:
        raise InvalidRequest("prompt", "{a|b} stands for several prompts; over a picture, give one at a time.")
    check_weights(prompts, asked.negative_prompt)
    return await with_loras(replace(asked, prompt=prompts[0]), call.arguments.text("lora") or "", call, context)


async def _based(request: ImageRequest, call: Call, context: AppContext) -> ImageRequest:
    """The request with the start image and the controls of an earlier one of the caller's, if it names one."""
    base = call.arguments.integer("base")
    if base is None:
        return request
    job = await context.queue.get(call.guild.id, base)
    if job is None or job.member_id != call.member.id or job.kind is not JobKind.IMAGINE:
        raise InvalidRequest("base", f"You have no job {base} here; /history shows those that you have.")
    earlier = read_request(job.payload)
    return replace(request, start=earlier.start, controls=earlier.controls)


async def submit(
    call: Call, context: AppContext, request: ImageRequest, *, kind: JobKind = JobKind.IMAGINE, times: int = 1
) -> Message:
    """Queue `request` for the caller; from here on nothing of it can be lost.

    A job of another `kind` makes `times` as many images of it.
    """
    check_allowed(request, call)
    context.model(request.model).check(request)
    job = await context.queue.enqueue(
        NewJob(
            guild_id=call.guild.id,
            member_id=call.member.id,
            member_name=call.member.name,
            kind=kind,
            payload=write_request(request),
            reply=call.reply,
            cost_key=_cost_key(request),
            cost_units=float(request.row_steps * times),
            blobs=request.image_keys,
            seconds_per_unit=await context.costs.row_seconds(request.model, request.width * request.height),
        )
    )
    place = await context.queue.place(call.guild.id, job.id)
    return waiting(job, request.prompt, place, restarted=False)


def imagined(job: Job, images: tuple[ShownImage, ...]) -> Message:
    """The end of the job: the images, or why there are none."""
    return finished(job, read_request(job.payload), images)


def _cost_key(request: ImageRequest) -> str:
    controls = "".join(f" +{use.kind}" for use in request.controls)
    return f"{request.model} {request.width}x{request.height}{controls}"


async def _ask_for_all(call: Call, context: AppContext, request: ImageRequest, prompts: tuple[str, ...]) -> Message:
    """Ask before one line becomes many jobs."""
    given = {name: value_text(value) for name, value in call.arguments.values}
    everything = await context.calls.save(call.guild.id, call.member.id, COMMAND.name, {**given, "all": "on"})
    shown = prompts[:_SHOWN_PROMPTS]
    more = (f"and {len(prompts) - len(shown)} more",) if len(prompts) > len(shown) else ()
    return Message(
        headline=f"This stands for {len(prompts)} prompts, {len(prompts) * request.count} pictures. Make them all?",
        lines=(*shown, *more),
        buttons=((Button(verb=Verb.CALL, target=everything, label="Make all"),),),
        private=True,
    )


async def _submit_all(call: Call, context: AppContext, requests: list[ImageRequest]) -> Message:
    """Queue each as a job with a message of its own."""
    each = replace(call, reply=replace(call.reply, message_id=None))
    for request in requests:
        await submit(each, context, request)
    return Message(headline=f"{len(requests)} are on their way; each comes as a message of its own.", private=True)


def request_values(request: ImageRequest) -> dict[str, Value]:
    """The option values that ask for exactly `request` again."""
    return {
        "prompt": request.prompt,
        "negative": request.negative_prompt,
        "width": request.width,
        "height": request.height,
        "count": request.count,
        "seed": request.seed,
        "steps": request.steps,
        "guidance": request.guidance_scale,
        "guidance-rescale": request.guidance_rescale,
        "scheduler": request.scheduler.value,
        "model": request.model,
        "lora": mentions_text(request.loras),
        "variation": " ".join(f"{step.seed}:{step.strength:.10g}" for step in request.variations),
    }


def editable_values(request: ImageRequest, facts: ModelFacts) -> dict[str, Value]:
    """As `request_values`, with the size as an aspect where it is one, so that changing it changes the image."""
    values = request_values(request)
    for aspect in ASPECTS:
        if size_for(aspect, facts.width) == (request.width, request.height):
            del values["width"], values["height"]
            return {**values, "aspect": aspect}
    return values


def check_allowed(request: ImageRequest, call: Call) -> None:
    """Hold the request to the guild's own limits and its caller to the roles that its controls need.

    Raises InvalidRequest naming the limit, and NotAllowed.
    """
    settings = call.guild.settings
    for use in request.controls:
        check_permission(call, f"control {use.kind}")
    if request.steps > settings.max_steps:
        raise InvalidRequest("steps", f"steps is {request.steps}; this server allows up to {settings.max_steps}.")
    if request.width * request.height > settings.max_pixels:
        side = int(settings.max_pixels**0.5)
        raise InvalidRequest(
            "size", f"{request.width}x{request.height} is larger than this server allows; stay within {side}x{side}."
        )


def _request(arguments: Arguments, facts: ModelFacts, new_seed: int) -> ImageRequest:
    width, height = _size(arguments, facts)
    scheduler = arguments.text("scheduler")
    steps, seed, guidance = arguments.integer("steps"), arguments.integer("seed"), arguments.number("guidance")
    return ImageRequest(
        prompt=(arguments.text("prompt") or "").strip(),
        negative_prompt=(arguments.text("negative") or "").strip(),
        width=width,
        height=height,
        steps=facts.steps if steps is None else steps,
        guidance_scale=facts.guidance_scale if guidance is None else guidance,
        guidance_rescale=arguments.number("guidance-rescale") or 0.0,
        scheduler=Scheduler.parse(scheduler) if scheduler else facts.scheduler,
        seed=new_seed if seed is None else seed,
        count=arguments.integer("count") or 1,
        model=facts.name,
        variations=_variations(arguments.text("variation") or ""),
    )


def _size(arguments: Arguments, facts: ModelFacts) -> tuple[int, int]:
    width, height = size_for(arguments.text("aspect") or "1:1", facts.width)
    return arguments.integer("width") or width, arguments.integer("height") or height


def _variations(text: str) -> tuple[Variation, ...]:
    """The steps in "12:0.15 7:0.4": a seed and how far to go towards it, one after the other."""
    words = text.replace(",", " ").split()
    matches = [re.fullmatch(r"(\d{1,12}):(\d{1,3}(?:\.\d{1,10})?|\.\d{1,10})", word) for word in words]
    if not all(matches):
        raise InvalidRequest("variation", f"variation '{text}' is unclear; write seed:strength, such as 12:0.15.")
    return tuple(Variation(seed=int(match[1]), strength=float(match[2])) for match in matches if match)


COMMAND: Final = Command(
    name="imagine",
    help="Make pictures from words",
    example="/imagine red fox, glossy style, teal background",
    handler=imagine,
    options=(
        Option(name="prompt", help="What the picture shows", required=True, rest=True),
        Option(name="negative", help="What it must not show", flag="no"),
        Option(name="aspect", help="Width to height", flag="ar", kind=OptionKind.CHOICE, choices=ASPECTS),
        Option(name="count", help="How many pictures", flag="n", kind=OptionKind.INTEGER, low=1, high=MAX_COUNT),
        Option(name="seed", help="Same seed, same picture", kind=OptionKind.INTEGER, low=0, high=MAX_SEED),
        Option(name="steps", help="Denoising steps", kind=OptionKind.INTEGER, low=1, high=MAX_STEPS),
        Option(name="lora", help="LoRAs, such as crayon:0.8", completion=Completion.LORAS),
        Option(
            name="guidance",
            help="How closely to the prompt",
            kind=OptionKind.NUMBER,
            low=0,
            high=MAX_GUIDANCE_SCALE,
        ),
        Option(
            name="scheduler",
            help="The sampler",
            kind=OptionKind.CHOICE,
            choices=tuple(scheduler.value for scheduler in Scheduler),
        ),
        Option(
            name="guidance-rescale",
            help="Tames burnt colours at high guidance",
            kind=OptionKind.NUMBER,
            low=0,
            high=1,
            advanced=True,
        ),
        Option(name="width", help="In pixels", kind=OptionKind.INTEGER, low=MIN_SIZE, high=MAX_SIZE, advanced=True),
        Option(name="height", help="In pixels", kind=OptionKind.INTEGER, low=MIN_SIZE, high=MAX_SIZE, advanced=True),
        Option(name="model", help="Which model draws it", completion=Completion.MODELS, advanced=True),
        Option(name="variation", help="Steps towards other seeds, as seed:strength", advanced=True),
        Option(name="base", help="Keep what this job of yours began with", kind=OptionKind.INTEGER, advanced=True),
        Option(name="triggers", help="Off: leave LoRAs' trigger words out", kind=OptionKind.SWITCH, advanced=True),
        Option(name="all", help="Make all of {a|b} unasked", kind=OptionKind.SWITCH, advanced=True),
        Option(name="private", help="For your eyes only", kind=OptionKind.SWITCH),
    ),
    notes=(
        "(word:1.3) counts for more, (word:0.7) for less, up to 2 and down to 0; (word) is 1.1, [word] a little less",
        r"\( and \) are brackets that weigh nothing, and so is a bracket without its partner",
        "{red|blue} fox stands for two prompts",
    ),
)

JOB: Final = JobSpec(kind=JobKind.IMAGINE, title=prompt_of, final_message=without_context(imagined))
