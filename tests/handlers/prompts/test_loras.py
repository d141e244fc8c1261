"""The guild's own LoRAs in a call of /imagine, by option, by prompt and by completion."""

from typing import Any

import pytest

from handlers.commands.call import Member
from handlers.commands.completion import complete
from handlers.commands.context import AppContext
from handlers.commands.option import Completion
from handlers.images.options import request_options
from handlers.jobs.payloads import REQUEST
from handlers.prompts.loras import read_mentions
from handlers.prompts.tags import LoraMention
from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from pipeline.requests.image_request import ImageRequest, LoraUse
from storage.guilds.guilds import Guild
from storage.library.loras import NewLora
from storage.platform import Platform
from tests.app_contexts import CallCommand


async def add(context: AppContext, guild: Guild, name: str, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "guild_id": guild.id, "name": name, "owner_id": "ann", "base_family": ModelFamily.SDXL,
        "key": f"key-of-{name}", "size": 1,
    }  # fmt: skip
    await context.loras.add(NewLora(**{**fields, **changes}))


@pytest.fixture
async def library(context: AppContext, guild: Guild) -> None:
    await add(context, guild, "crayon", scale=0.7)
    await add(context, guild, "film")
    await add(context, guild, "old-ink", base_family=ModelFamily.SD15)


async def queued(context: AppContext, guild: Guild) -> list[ImageRequest]:
    return [REQUEST.read(job.payload) for job in reversed(await context.queue.guild_jobs(guild.id))]


@pytest.mark.usefixtures("library")
async def test_option_and_prompt_name_loras_together(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """A scale where one is given, else the library's own; the marks leave the prompt."""
    await call("imagine", prompt="a fox <lora:Film:0.5> in snow", lora="crayon, film:1:0.2")

    (request,) = await queued(context, guild)
    assert request.prompt == "a fox in snow"
    assert request.loras == (
        LoraUse(key="key-of-crayon", name="crayon", scale=0.7),
        LoraUse(key="key-of-film", name="film", scale=1.0, text_encoder_scale=0.2),
        LoraUse(key="key-of-film", name="film", scale=0.5),
    )


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    "prompt", ["[red <lora:film:0.5>|blue <lora:film:0.5>] fox", "[<lora:film:0.5> a:<lora:film:0.5> b:.4]"]
)
async def test_a_tag_in_each_of_the_texts_counts_once(
    call: CallCommand, context: AppContext, guild: Guild, prompt: str
) -> None:
    """No step has it twice."""
    await call("imagine", prompt=prompt)

    (request,) = await queued(context, guild)
    assert request.loras == (LoraUse(key="key-of-film", name="film", scale=0.5),)
    assert "lora" not in request.prompt


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("prompt", "advice"),
    [
        ("a fox [<lora:film:0.5>::0.4]", r"write its steps in it: <lora:film:0\.5:stop=0\.5>"),
        ("a fox [<lora:film:0.5>|snow]", "<lora:film:0.5> stands in brackets that change between steps"),
        ("a fox [:<lora:film:0.5> snow:99]", "<lora:film:0.5> stands in brackets that change between steps"),
        ("a [@film:0.5:dog:2]", "@film stands in brackets that change between steps; name a subject outside of them"),
    ],
)
async def test_a_lora_does_not_come_and_go_with_the_words(call: CallCommand, prompt: str, advice: str) -> None:
    """It would act in all steps, so it is not taken for what it is not."""
    with pytest.raises(InvalidRequest, match=advice):
        await call("imagine", prompt=prompt)


@pytest.mark.usefixtures("library")
async def test_a_lora_beside_changing_words_or_in_every_text_is_taken(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    """Also a subject with a scale in brackets that only weigh."""
    await call("imagine", prompt="[<lora:film:0.5> red:<lora:film:0.5> blue:2] fox [@crayon:0.8]")

    (request,) = await queued(context, guild)
    assert [use.name for use in request.loras] == ["film", "crayon"]
    assert request.prompt == "[ red: blue:2] fox [crayon]"


async def test_texts_that_would_fail_on_a_device_are_refused_at_once(call: CallCommand) -> None:
    """Whatever step they would come at."""
    with pytest.raises(InvalidRequest, match="stand for 17 different texts; the limit is 16"):
        await call("imagine", prompt="[" + "|".join("abcdefghijklmnopq") + "]")
    with pytest.raises(InvalidRequest, match="The weight of 'fox' is 3"):
        await call("imagine", prompt="[fox:(fox:3):2]")


@pytest.mark.usefixtures("library")
async def test_two_scales_in_a_tag_are_the_text_encoders_and_the_unets(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    """In the order of other programs; in the option the text encoders' own comes second. Tags may stand there, too."""
    await call("imagine", prompt="fox <lora:film:0.8:0.5>", lora="film:0.5:0.8 <lora:film:0.8:0.5>")

    (request,) = await queued(context, guild)
    assert request.loras == 3 * (LoraUse(key="key-of-film", name="film", scale=0.5, text_encoder_scale=0.8),)


@pytest.mark.usefixtures("library")
async def test_a_guild_may_allow_larger_scales(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """For sliders: up to what its admins set, and no further."""
    await call("settings", admin=True, max_lora_scale=6)
    await call("imagine", prompt="fox <lora:film:-6>")
    await call("lora scale", admin=True, name="film", scale=5)
    with pytest.raises(InvalidRequest, match=r"LoRA scale of 'film' is 6\.5; use -6 to 6\."):
        await call("imagine", prompt="fox <lora:film:6.5>")

    (request,) = await queued(context, guild)
    assert request.loras[0].scale == -6


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    "tag",
    [
        "<lora:film:0.8:lbw=OUTALL>",
        "<lora:film:0.5:0.8:lbw=1,0,0.5,-1,1,1,1,1,1,1,1,.25>",
        "<lora:film:1:in=0:mid=1:out=0.5>",
        "<lora:film:1:start=5:stop=0.75>",
        "<lora:film:0.8:lbw=ALL0.5:stop=10>",
    ],
)
async def test_blocks_and_steps_are_kept_as_they_were_written(
    call: CallCommand, context: AppContext, guild: Guild, tag: str
) -> None:
    """In the request, and in the options that ask for it again."""
    await call("imagine", prompt=f"fox {tag}")
    (request,) = await queued(context, guild)
    options = request_options(request)

    await call("imagine", prompt=options.prompt, lora=options.lora)

    again, first = await queued(context, guild)
    assert again.loras == first.loras
    assert [use.tag for use in again.loras] == [tag] == [options.lora]


async def test_a_lora_that_is_named_twice_has_its_words_once(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    await add(context, guild, "crayon", trigger_words="wax")

    await call("imagine", prompt="fox <lora:crayon:0.5> <lora:crayon:0.2>", lora="crayon")

    (request,) = await queued(context, guild)
    assert (request.prompt, len(request.loras)) == ("fox, wax", 3)


@pytest.mark.usefixtures("library")
async def test_a_request_can_be_asked_for_again(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """With the very same LoRAs, in the values that a person could type."""
    await call("imagine", prompt="fox", lora="crayon:-0.25:1.5 film")
    (request,) = await queued(context, guild)

    await call("imagine", **{name.replace("-", "_"): value for name, value in request_options(request).given().items()})

    assert await queued(context, guild) == [request, request]


async def test_trigger_words_are_put_in_unless_the_member_says_no(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    """Nor where one of them is there already, also as what is not wanted."""
    await add(context, guild, "crayon", trigger_words="wax, crayon drawing")

    await call("imagine", prompt="fox", lora="crayon")
    await call("imagine", prompt="Wax fox", lora="crayon")
    await call("imagine", prompt="fox", lora="crayon", triggers=False)
    await call("imagine", prompt="owl", lora="crayon", negative="wax")

    prompts = [request.prompt for request in await queued(context, guild)]
    assert prompts == ["fox, wax, crayon drawing", "Wax fox", "fox", "owl"]


@pytest.mark.usefixtures("library")
async def test_choices_may_hold_different_loras(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """Each prompt has its own."""
    await call("imagine", prompt="fox {<lora:crayon>|<lora:film>}", all=True)

    assert [[lora.name for lora in request.loras] for request in await queued(context, guild)] == [["crayon"], ["film"]]


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lora": "crayom"}, "This server has no LoRA 'crayom'; did you mean 'crayon'?"),
        ({"prompt": "fox <lora:unknown-thing:1>"}, "/lora list shows those that it has."),
        ({"lora": "old-ink"}, "LoRA 'old-ink' was made for SD 1.5 and pocket is SDXL"),
        ({"lora": "crayon:3"}, "LoRA scale of 'crayon' is 3; use -2 to 2."),
        ({"prompt": "fox <lora:crayon:1:in=0:out=-3>"}, "LoRA scale of 'crayon' is -3; use -2 to 2."),
        ({"prompt": "fox <lora:crayon:1:lbw=OUT>"}, "LoRA 'crayon' has no block weights 'OUT'; write 12 or 20 numbers"),
        ({"prompt": "fox <lora:crayon:1:lbw=1,0>"}, "LoRA 'crayon' is given 2 block weights; SDXL takes 12 or 20."),
        ({"prompt": "fox <lora:crayon:1:start=5.5>"}, "A LoRA cannot start or stop at step 5.5"),
        ({"prompt": "fox <lora:crayon:0.5"}, "The tag <lora:crayon:0.5 is not closed"),
        ({"negative": "bad <lora:crayon:1>"}, "<lora:crayon:1> stands in the negative prompt"),
        ({"negative": "bad @crayon"}, "@crayon stands in the negative prompt"),
        ({"lora": "crayon:strong"}, "lora 'crayon:strong' is unclear; write name:scale"),
    ],
)
async def test_what_cannot_be_used_is_one_sentence(
    call: CallCommand, context: AppContext, guild: Guild, values: dict[str, str], words: str
) -> None:
    """And nothing is queued."""
    with pytest.raises(InvalidRequest) as refused:
        await call("imagine", **{"prompt": "fox", **values})

    assert words in str(refused.value)
    assert await queued(context, guild) == []


@pytest.mark.usefixtures("library")
async def test_no_guild_names_or_completes_anothers(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """The same name means its own, or nothing."""
    other = await context.guilds.ensure(Platform.DISCORD, "2", "Others")
    await add(context, other, "secret")

    with pytest.raises(InvalidRequest, match="no LoRA 'secret'; /lora list"):
        await call("imagine", prompt="fox", lora="secret")
    assert await suggestions(context, other, "") == ["secret:1"]
    assert await suggestions(context, guild, "sec") == []


async def suggestions(context: AppContext, guild: Guild, typed: str) -> list[str]:
    member = Member(id="ann", name="Ann")
    found = await complete(Completion.LORAS, typed, guild=guild, member=member, context=context)
    return [suggestion.value for suggestion in found]


def test_mentions_are_read_as_people_write_them() -> None:
    """Spaces or commas, a scale or none, a second one for the text encoders."""
    assert read_mentions(" a, b:.5  c:1:-0.5 ") == (
        LoraMention(name="a"),
        LoraMention(name="b", scale=0.5),
        LoraMention(name="c", scale=1.0, text_encoder_scale=-0.5),
    )
    assert read_mentions("") == ()
