"""What a worker does for /lora fuse: a real queue, with a stand-in for what fuses."""

from pathlib import Path

from handlers.commands.context import AppContext
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobState
from tests.app_contexts import CallCommand
from tests.handlers.lora_adders import CANONICAL, FakeFuser, ended, find, new_lora, working


async def test_a_set_becomes_a_lora_of_its_own(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """Made of its members' files, each at its scale; used, told and removed like any other."""
    crayon, film = [
        await context.loras.add(new_lora(guild, name, private=name == "film")) for name in ("crayon", "film")
    ]
    fuser = FakeFuser()
    await call("lora fuse", lora="crayon:0.8 film:0.5:0.2 <lora:film:0.5:lbw=OUTALL>", name="chalky")
    async with working(context, tmp_path, fuser=fuser):
        job = await ended(context, guild)
    assert job.state is JobState.DONE, job.error

    made = await context.loras.get(guild.id, "ada", "chalky")
    assert made is not None
    assert made.private, "a member of it is"
    assert "A set: <lora:film:0.5:lbw=OUTALL> crayon:0.8 film:0.5:0.2\n3 layers" in made.metadata
    assert [member.path.stem for member in fuser.members] == [film.key, crayon.key, film.key]
    assert [(member.scale, member.text_encoder_scale) for member in fuser.members] == [
        (0.5, 0.5),
        (0.8, 0.8),
        (0.5, 0.2),
    ]
    assert [dict(member.blocks).get("IN04") for member in fuser.members] == [0.0, None, None]
    assert (tmp_path / f"{made.key}.safetensors").read_bytes() == CANONICAL


async def test_a_member_that_was_removed_meanwhile_makes_no_set(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """And is named."""
    for name in ("crayon", "film"):
        await context.loras.add(new_lora(guild, name))
    await call("lora fuse", lora="crayon film", name="chalky")
    await context.loras.remove(await find(context, guild, "film"))
    async with working(context, tmp_path):
        job = await ended(context, guild)

    assert job.error == "'film' was removed meanwhile; /lora list shows those that there are."
    assert [lora.name for lora in await context.loras.search(guild.id, "ada")] == ["crayon"]
