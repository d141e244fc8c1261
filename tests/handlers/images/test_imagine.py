"""/imagine: from values to a queued job."""

from dataclasses import replace
from pathlib import Path

import pytest

from handlers.commands.call import Caller, Member
from handlers.commands.completion import complete
from handlers.commands.context import AppContext
from handlers.commands.option import Completion
from handlers.images.imagine import imagine
from handlers.images.options import ImagineOptions, request_options
from handlers.jobs.payloads import REQUEST
from pipeline.errors import InvalidRequest, UserError
from pipeline.models.vaes import Vaes
from pipeline.requests.image_request import ImageRequest, Scheduler
from pipeline.requests.step_cost import StepCost
from storage.guilds.guilds import Guild, GuildSettings
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand


async def _request_of(context: AppContext, guild: Guild, job_id: int | None) -> ImageRequest:
    job = await context.queue.get(guild.id, job_id or 0)
    assert job is not None
    return REQUEST.read(job.payload)


async def test_a_bare_prompt_takes_the_models_own_defaults(
    context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """Native size, steps, guidance and scheduler come from the model; the seed is drawn."""
    message = await call("imagine", prompt="  red fox ")

    request = await _request_of(context, guild, message.job_id)
    assert (request.prompt, request.width, request.height, request.steps) == ("red fox", 128, 128, 20)
    assert (request.guidance_scale, request.scheduler, request.seed, request.count) == (5.0, Scheduler.EULER, 42, 1)


async def test_every_option_reaches_the_request(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """What a member sets is what is rendered, and `request_options` asks for the same again."""
    message = await call(
        "imagine", prompt="fox", negative="text", width=64, height=192, count=3, seed=9, steps=5, guidance=0.0,
        guidance_rescale=0.5, scheduler="unipc", spacing="karras", model="pocket", guidance_window="0.2-0.8", pag=2.5,
        freeu="b1=1.2", clip_skip=2,
    )  # fmt: skip

    request = await _request_of(context, guild, message.job_id)
    again = await call(
        "imagine", **{key.replace("-", "_"): value for key, value in request_options(request).given().items()}
    )
    assert request_options(request).guidance == 0.0
    assert request_options(request).height == 192
    assert await _request_of(context, guild, again.job_id) == request


async def test_what_the_device_measured_predicts_the_first_image(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    """Twenty guided steps are forty row-steps; Heun calls the denoiser twice a step, but for the last."""
    await context.costs.put([StepCost(model="pocket", width=128, height=128, rows=2, seconds=0.2)])

    for scheduler, seconds in (("euler", 4.0), ("heun", 7.8)):
        message = await call("imagine", prompt="fox", steps=20, scheduler=scheduler)

        job = await context.queue.get(guild.id, message.job_id or 0)
        assert job is not None
        assert job.estimated_seconds == pytest.approx(seconds)


async def test_the_answer_tells_the_place_and_offers_to_cancel(call: CallCommand) -> None:
    """The first answer is honest: who is first has nobody in front."""
    message = await call("imagine", prompt="fox")

    assert message.headline == "fox"
    assert message.lines[0].startswith("Next")
    assert message.buttons[0][0].label == "Cancel"
    second = await call("imagine", prompt="owl")
    assert second.lines[0].startswith("1 before you")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"prompt": "   "}, "The prompt is empty"),
        ({"prompt": "x" * 2001}, "2001 characters; the limit is 2000"),
        ({"prompt": "fox", "width": 130}, "width 130 is not a multiple of 8; use 128 or 136"),
        ({"prompt": "fox", "steps": 60}, "steps is 60; this server allows up to 50"),
        ({"prompt": "fox", "scheduler": "magic"}, "scheduler 'magic' is unknown"),
        ({"prompt": "fox", "model": "flux"}, "model 'flux' is not served here; choose one of: pocket"),
        ({"prompt": "fox", "width": 2048, "height": 2048}, "larger than this server allows"),
        ({"prompt": "fox", "width": 512, "height": 512}, "512×512 is too large for pocket"),
    ],
)
async def test_bad_input_is_one_sentence_and_queues_nothing(
    context: AppContext, guild: Guild, call: CallCommand, values: dict[str, object], words: str
) -> None:
    """Each refusal names the field and its limit."""
    with pytest.raises(InvalidRequest) as refusal:
        await call("imagine", **values)

    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert await context.queue.guild_jobs(guild.id) == ()


async def test_a_guild_may_keep_images_to_some_channels(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Members are told where; admins pass."""
    settings = replace(GuildSettings(), allowed_channels=("studio",))
    await context.guilds.save_settings(guild.id, settings, actor="ada")

    with pytest.raises(UserError, match="not made in this channel"):
        await call("imagine", prompt="fox", channel="general")
    assert (await call("imagine", prompt="fox", channel="studio")).job_id
    assert (await call("imagine", prompt="fox", channel="general", admin=True)).job_id


async def test_weights_stay_in_the_prompt_and_a_wrong_one_is_a_sentence(
    context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """Before anything is queued, in each prompt that `{a|b}` stands for, and in the negative one."""
    message = await call("imagine", prompt="a (red:1.3) fox :)", negative="[blue]")

    request = await _request_of(context, guild, message.job_id)
    assert (request.prompt, request.negative_prompt) == ("a (red:1.3) fox :)", "[blue]")
    for wrong in ({"prompt": "{a|(b:3)} fox"}, {"prompt": "fox", "negative": "(b:3)"}):
        with pytest.raises(InvalidRequest, match=r"The weight of 'b' is 3; use 0 to 2, or write \\\( and \\\)"):
            await call("imagine", **wrong)
    assert any("(word:1.3)" in line for line in (await call("help", command="imagine")).lines)


async def test_who_has_many_waiting_is_told_how_many_and_what_to_do(
    context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """A member's own jobs count, of all kinds, and nobody else's."""
    assert context.most_waiting == 20
    for _ in range(20):
        await call("imagine", prompt="fox")
    with pytest.raises(UserError, match=r"20 of yours wait here already, and at most 20 may; wait .* /cancel"):
        await call("imagine", prompt="fox")
    with pytest.raises(UserError, match="20 of yours wait here already"):
        await call("lora add", link="https://civitai.com/models/1")
    assert (await call("imagine", prompt="fox", member="bob")).job_id
    await context.queue.claim("worker")
    assert (await call("imagine", prompt="fox")).job_id


async def test_of_several_prompts_as_many_are_queued_as_may(
    context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """The answer says how many, so that nobody waits for the others."""
    for _ in range(18):
        await call("imagine", prompt="fox")

    message = await call("imagine", prompt="{red|blue|green|grey} fox", all=True)

    assert message.headline.startswith("2 of 4 are on their way; 20 of yours wait here already")
    assert len(await context.queue.guild_jobs(guild.id, limit=100)) == 20


@pytest.mark.parametrize("option", ["prompt", "negative"])
async def test_a_text_that_no_device_takes_is_refused_before_it_is_queued(
    option: str, context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """In a sentence that names it, and says what would do."""
    with pytest.raises(InvalidRequest, match="prompt takes at least 11 windows of 75 tokens; shorten it to 8"):
        await call("imagine", **{"prompt": "fox", option: "a, " * 400})

    assert await context.queue.guild_jobs(guild.id) == ()


async def test_a_vae_is_chosen_by_its_name(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """Among those of the model's base, which completion lists; others are refused before they are queued.

    A guild's own is taken where it is for the model.
    """
    for file in ("sdxl/soft.safetensors", "sd15/mse.safetensors"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).touch()
    context = replace(context, vaes=Vaes(folder=tmp_path))
    ada = Member(id="ada", name="Ada")
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    caller = Caller(guild=guild, member=ada, reply=reply)

    await imagine(caller, ImagineOptions(prompt="fox", vae="soft"), context)
    with pytest.raises(InvalidRequest, match=r"VAE 'mse' is for SD 1\.5 and pocket is SDXL; for that there is: soft"):
        await imagine(caller, ImagineOptions(prompt="fox", vae="mse"), context)

    settings = replace(guild.settings, default_vae="soft")
    for prefers, named in ((settings, None), (settings, "own"), (replace(settings, default_vae="mse"), None)):
        asker = replace(caller, guild=replace(guild, settings=prefers))
        await imagine(asker, ImagineOptions(prompt="fox", vae=named), context)

    jobs = await context.queue.guild_jobs(guild.id)
    assert [REQUEST.read(job.payload).vae for job in reversed(jobs)] == ["soft", "soft", None, None]
    found = await complete(Completion.VAES, "so", guild=guild, member=ada, context=context)
    assert [(each.value, each.help) for each in found] == [("soft", "SDXL")]
