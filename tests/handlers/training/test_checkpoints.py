"""The weights that a training leaves to choose from."""

from pathlib import Path

import pytest

from handlers.buttons import Press, press
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed
from handlers.messages.message import Verb
from pipeline.errors import InvalidRequest, UserError
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobKind
from tests.app_contexts import CallCommand
from tests.fakes import FakeClock
from tests.handlers.training.trainings import FakeTrain, Files, caller, delivered, ended, png, start, working

pytestmark = pytest.mark.slow  # every test reads and draws real images


async def test_other_weights_of_a_training_are_chosen_by_button(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path,
    files: Files,
) -> None:  # fmt: skip
    """And the best again; the files of all stay for that, and count."""
    await call("train style", name="crayon", mine=True, **await files(png(1), png(2), png(3)))
    async with working(context, sqlite, tmp_path, FakeTrain()):
        await press(start(await ended(context, guild, JobKind.CHECK_IMAGES)), caller(guild), context)
        job = await ended(context, guild, JobKind.TRAIN)
        report = await delivered(context, clock)
    assert [button.label for button in report.buttons[0]] == ["Use step 50", "Use step 100"]

    async def weights(index: int) -> str:
        await press(Press(verb=Verb.PICK, target=job.id, index=index), caller(guild), context)
        lora = await context.loras.get(guild.id, "ada", "crayon")
        assert lora is not None
        assert lora.size == len("50.safetensors") + len("100.safetensors")
        assert f"{(50, 100)[index]} of 100 steps" in lora.metadata
        return (tmp_path / "loras" / f"{lora.key}.safetensors").read_text()

    assert await weights(0) == "50.safetensors"
    assert await weights(1) == "100.safetensors"
    with pytest.raises(InvalidRequest, match="no such weights"):
        await press(Press(verb=Verb.PICK, target=job.id, index=2), caller(guild), context)
    with pytest.raises(NotAllowed, match="another member's"):
        await press(Press(verb=Verb.PICK, target=job.id, index=0), caller(guild, "bob"), context)
    await call("lora remove", name="crayon", confirm=True)
    clock.advance(60)
    with pytest.raises(UserError, match="removed meanwhile"):
        await press(Press(verb=Verb.PICK, target=job.id, index=0), caller(guild), context)
