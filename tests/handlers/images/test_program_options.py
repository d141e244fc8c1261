"""What /imagine takes of another program's image, and what it says of the rest."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.images.program_options import taken_over
from pipeline.families.family import ModelFamily
from pipeline.images.programs.parameters import NamedLora, ProgramParameters
from pipeline.models.vaes import Vaes
from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing
from storage.guilds.guilds import Guild
from storage.library.loras import NewLora
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress

_SHA, _DATA_SHA = "a1" * 32, "b2" * 32


@pytest.fixture
async def caller(context: AppContext, guild: Guild) -> Caller:
    for name, hashes, card in (
        ("crayon", (_SHA, _DATA_SHA), ""), ("film-grain", (), f"1 layer · SHA-256 {'c3' * 32}"), ("ink", (), ""),
    ):  # fmt: skip
        await context.loras.add(
            NewLora(
                guild_id=guild.id, name=name, owner_id="ann", base_family=ModelFamily.SDXL, key=name, size=1,
                hashes=hashes, metadata=card,
            )
        )  # fmt: skip
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="c", user_id="ada")
    return Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=reply)


def said(**values: Any) -> ProgramParameters:
    return ProgramParameters(program="A test", prompt="red fox", **values)


async def test_what_is_the_same_here_is_taken(context: AppContext, caller: Caller) -> None:
    """And nothing is said of it."""
    taken = await taken_over(
        said(
            negative="text", seed=7, steps=20, guidance=6.5, sampler="Euler a", width=512, height=768, model="Pocket",
            options=(("variation", "3:0.2"), ("guidance_rescale", "0.7")),
        ),
        caller, context,
    )  # fmt: skip

    assert taken.notes == ()
    assert taken.options.given() == {
        "prompt": "red fox", "negative": "text", "seed": 7, "steps": 20, "guidance": 6.5,
        "scheduler": Scheduler.EULER_A, "width": 512, "height": 768, "model": "pocket", "variation": "3:0.2",
        "guidance-rescale": 0.7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sampler", "spacing", "scheduler", "taken_spacing", "note"),
    [
        ("DPM++ 2M", "Automatic", Scheduler.DPMPP_2M, Spacing.NORMAL, None),
        ("dpmpp_2m", "normal", Scheduler.DPMPP_2M, Spacing.NORMAL, None),
        ("DPM++ 2M SDE Karras", "", Scheduler.DPMPP_2M_SDE, Spacing.KARRAS, None),
        ("dpmpp_2m", "sgm_uniform", Scheduler.DPMPP_2M, Spacing.SGM_UNIFORM, None),
        ("euler_ancestral", "", Scheduler.EULER_A, None, None),
        ("k_euler", "", Scheduler.EULER, None, None),
        ("uni_pc", "", Scheduler.UNIPC, None, None),
        ("Mystery 9", "", None, None, "The sampler Mystery 9 is not here; the model's own is used."),
        ("Euler", "Odd", Scheduler.EULER, None, "The spacing Odd is not here; the model's own is used."),
    ],
)
async def test_samplers_are_known_by_other_programs_names(
    context: AppContext, caller: Caller, sampler: str, spacing: str,
    scheduler: Scheduler | None, taken_spacing: Spacing | None, note: str | None,
) -> None:  # fmt: skip
    taken = await taken_over(said(sampler=sampler, spacing=spacing), caller, context)

    assert (taken.options.scheduler, taken.options.spacing) == (scheduler, taken_spacing)
    assert taken.notes == (() if note is None else (note,))


async def test_loras_are_found_by_their_files_or_their_names(context: AppContext, caller: Caller) -> None:
    """Whatever they are called there; one that is missing is named, and so is a scale that cannot be read."""
    wanted = (
        NamedLora(name="crayon_v2", settings=":0.8", hash=_DATA_SHA[:12]),
        NamedLora(name="my film", settings=":0.5:0.7", hash=("c3" * 32)[:10].upper()),
        NamedLora(name="Ink", settings=":0.4:lbw=OUTALL"),
        NamedLora(name="ink", settings=":dyn=4"),
        NamedLora(name="gone", settings=":1", hash="0" * 12),
    )

    taken = await taken_over(said(loras=wanted, inversions=(NamedLora(name="bad-hands"),)), caller, context)

    assert taken.options.lora == "<lora:crayon:0.8> <lora:film-grain:0.5:0.7> <lora:ink:0.4:lbw=OUTALL>"
    assert taken.notes == (
        "What ink is scaled by, ':dyn=4', was not taken over.",
        "The LoRA gone is not in this library; /lora add brings it in.",
        "The textual inversion bad-hands is not in this library; /lora add brings it in.",
    )


async def test_what_is_beyond_the_limits_is_left_out_and_said(context: AppContext, caller: Caller) -> None:
    """The rest is taken all the same."""
    taken = await taken_over(
        said(
            seed=2**40, steps=500, guidance=99.0, width=1023, height=20_000,
            options=(("clip_dance", "2"), ("guidance_rescale", "5")),
            left=tuple(f"thing {number}" for number in range(14)),
        ),
        caller, context,
    )  # fmt: skip

    assert taken.options.given() == {"prompt": "red fox", "width": 1024, "height": 4096}
    assert taken.notes[:3] == (
        f"Seed {2**40} was left out; Limner takes 0 to 4,294,967,295.",
        "Steps 500 was left out; Limner takes 1 to 150.",
        "Guidance 99.0 was left out; Limner takes 0 to 30.",
    )
    assert taken.notes[3:7] == (
        "Its width is 1023; 1024 was taken.",
        "Its height is 20000; 4096 was taken.",
        "Its clip dance of 2 was not taken over.",
        "Its guidance rescale of 5 was not taken over.",
    )
    assert taken.notes[7].startswith("Not taken over: thing 0, thing 1, ")
    assert taken.notes[7].endswith(" and 2 more.")


async def test_values_that_no_request_takes_are_said_and_left_out(context: AppContext, caller: Caller) -> None:
    """Or the whole image could not be asked for; those that are right are taken, a VAE where it is here."""
    right = (("guidance_window", "0.2-0.8"), ("freeu", "b1=1.3 s2=0.2"), ("pag", "3"), ("variation", "7:0.5"))
    wrong = (("guidance_window", "8-2"), ("freeu", "b1=99"), ("variation", f"{2**40}:0.5"), ("vae", "soft"))

    taken = await taken_over(said(options=right), caller, context)
    left = await taken_over(said(options=wrong), caller, context)

    assert taken.options.given() == {
        "prompt": "red fox", "guidance-window": "0.2-0.8", "freeu": "b1=1.3 s2=0.2", "pag": 3.0, "variation": "7:0.5",
    }  # fmt: skip
    assert left.options.given() == {"prompt": "red fox"}
    assert left.notes == (
        "Its guidance window of 8-2 was not taken over.",
        "Its freeu of b1=99 was not taken over.",
        f"Its variation of {2**40}:0.5 was not taken over.",
        "Its vae of soft was not taken over.",
    )


async def test_a_vae_is_taken_where_it_is_here(context: AppContext, caller: Caller, tmp_path: Path) -> None:
    """For the base of the model that draws."""
    for file in ("sdxl/soft.safetensors", "sd15/mse.safetensors"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).touch()
    context = replace(context, vaes=Vaes(folder=tmp_path))

    found = [await taken_over(said(options=(("vae", name),)), caller, context) for name in ("soft", "mse")]

    assert [(taken.options.vae, len(taken.notes)) for taken in found] == [("soft", 0), (None, 1)]


async def test_an_at_sign_names_no_subject(context: AppContext, caller: Caller) -> None:
    """Or a prompt that names an artist so could not be asked for."""
    taken = await taken_over(replace(said(), prompt="a fox by @Ink:1.2, @_@", negative="@bad"), caller, context)

    assert (taken.options.prompt, taken.options.negative) == ("a fox by ink, @_@", "bad")
    assert taken.notes[0] == "The prompt's @ink is read as a word, since @ names a subject here."


async def test_words_that_join_prompts_elsewhere_are_said(context: AppContext, caller: Caller) -> None:
    """They are words here; in small letters they are everywhere."""
    joined = await taken_over(replace(said(), prompt="a fox BREAK snow"), caller, context)
    plain = await taken_over(replace(said(), prompt="break and BRAND"), caller, context)

    assert joined.notes == ("BREAK and AND in its prompt are read as words.",)
    assert plain.notes == ()


async def test_a_model_is_known_by_its_files_hash(context: AppContext, caller: Caller, tmp_path: Path) -> None:
    """Before its name, which anyone may change."""
    file = tmp_path / "renamed.safetensors"
    file.write_bytes(b"weights")
    served = replace(context.models[0], name="renamed", file=file)
    context = replace(context, models=(*context.models, served))
    digest = context.file_hashes.short(file)

    found = await taken_over(said(model="pocket", model_hash=digest), caller, context)
    short = await taken_over(said(model="other", model_hash=digest[:2]), caller, context)
    strange = await taken_over(said(model="other", model_hash="ffffffffff"), caller, context)

    assert found.options.model == "renamed"
    assert short.options.model is strange.options.model is None
    assert strange.notes == ("The model other is not served here; another one draws it, so it will look different.",)
