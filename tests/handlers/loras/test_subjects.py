"""/subject: the subjects among a guild's LoRAs."""

from dataclasses import replace
from pathlib import Path

import pytest

from handlers.buttons import Press, press
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed
from handlers.messages.message import Verb
from handlers.training.request import TRAINING
from pipeline.errors import InvalidRequest
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.queue.jobs import Job, JobKind
from tests.app_contexts import CallCommand
from tests.eventually import eventually
from tests.handlers.lora_adders import new_lora
from tests.handlers.training.trainings import FakeTrain, Files, caller, ended, png, start, working


async def test_subjects_are_a_library_within_the_library(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """Listed, shown and shared by /subject; any other LoRA is told from them."""
    await context.loras.add(new_lora(guild, "crayon"))
    rex = await context.loras.add(replace(new_lora(guild, "rex"), subject=True))

    assert [line.partition(":")[0] for line in (await call("subject list")).lines] == ["rex"]
    assert len((await call("lora list")).lines) == 2
    assert "No subject here is called 'crayon'" in (await call("subject list", search="crayon")).headline
    assert "@rex" in (await call("subject info", name="rex")).lines[0]
    await call("subject share", name="rex", whose="private")
    kept = await context.loras.with_key(guild.id, rex.key)
    assert kept is not None
    assert kept.private
    for command, values in (("info", {}), ("share", {"whose": "private"}), ("delete", {"confirm": True})):
        with pytest.raises(InvalidRequest, match="'crayon' is no subject"):
            await call(f"subject {command}", name="crayon", **values)


@pytest.mark.slow  # it reads and draws real images
async def test_a_deleted_subject_leaves_no_sheet(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, tmp_path: Path, files: Files
) -> None:
    """Neither of its samples nor of any look at its images; other subjects keep theirs."""
    for name, seed in (("rex", 1), ("tom", 11)):
        given = await files(*(png(seed + at) for at in range(4)))
        await call("train subject", name=name, **{"class": "dog"}, mine=True, **given)
        async with working(context, sqlite, tmp_path, FakeTrain()):
            first = await ended(context, guild, JobKind.CHECK_IMAGES)
            await press(Press(verb=Verb.LEAVE_OUT, target=first.id, index=2), caller(guild), context)

            async def looked(first: Job = first) -> Job | None:
                second = await ended(context, guild, JobKind.CHECK_IMAGES)
                return second if second.id != first.id else None

            await press(start(await eventually(looked)), caller(guild), context)

            async def learnt(name: str = name) -> bool:
                return (await ended(context, guild, JobKind.TRAIN)).payload.find(f'"{name}"') > 0

            await eventually(learnt)

    (asked,) = (await call("subject delete", name="rex")).buttons[0]
    assert asked.label == "Delete it"
    assert len(await context.queue.guild_jobs(guild.id)) == 6
    with pytest.raises(NotAllowed, match="another member's"):
        await call("subject delete", member="bob", name="rex", confirm=True)

    await call("subject delete", name="rex", confirm=True)

    left = [TRAINING.read(job.payload).name for job in await context.queue.guild_jobs(guild.id)]
    assert left == ["tom"] * 3
    assert (await call("subject list")).lines[0].startswith("tom:1")
