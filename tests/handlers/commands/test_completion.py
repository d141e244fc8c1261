"""What is suggested as a member types."""

from dataclasses import replace
from pathlib import Path

from handlers.commands.call import Member
from handlers.commands.completion import complete
from handlers.commands.context import AppContext
from handlers.commands.option import Completion
from pipeline.images.upscalers import Upscalers
from storage.guilds.guilds import Guild
from tests.app_contexts import CallCommand
from tests.handlers.lora_adders import new_lora


async def suggestions(
    context: AppContext, guild: Guild, typed: str, source: Completion = Completion.LORAS
) -> list[str]:
    member = Member(id="ada", name="Ada")
    found = await complete(source, typed, guild=guild, member=member, context=context)
    return [suggestion.value for suggestion in found]


async def test_upscalers_are_suggested(context: AppContext, guild: Guild, tmp_path: Path) -> None:
    (tmp_path / "sharp.safetensors").touch()
    context = replace(context, upscalers=Upscalers(folder=tmp_path))

    assert await suggestions(context, guild, "", Completion.UPSCALERS) == ["sharp", "waifu2x", "lanczos"]


async def test_completion_searches_past_25(context: AppContext, guild: Guild) -> None:
    """For the last name of several, with the library's scale; what stands in front stays."""
    for number in range(30):
        await context.loras.add(replace(new_lora(guild, f"style-{number}"), scale=0.8))

    assert len(await suggestions(context, guild, "")) == 25
    assert await suggestions(context, guild, "style-29") == ["style-29:0.8"]
    assert await suggestions(context, guild, "film:0.5 style-28:0.") == ["film:0.5 style-28:0.8"]


async def test_open_jobs_are_ones_own_by_their_titles(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Found by a word of the prompt; another member's are not there."""
    job_id = (await call("imagine", prompt="red fox")).job_id
    await call("imagine", prompt="grey owl")
    await call("imagine", prompt="red fox", member="bob")

    assert await suggestions(context, guild, "FOX", Completion.OPEN_JOBS) == [str(job_id)]


async def test_commands_are_suggested_with_their_groups(context: AppContext, guild: Guild) -> None:
    """By a part of the name or of what it does."""
    found = await suggestions(context, guild, "lora", Completion.COMMANDS)

    assert "lora" in found
    assert {"lora add", "lora list"} <= set(found)
    assert "imagine" not in found
