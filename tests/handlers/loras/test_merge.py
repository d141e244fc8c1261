"""/lora fuse from the call to the library: a real queue, with a stand-in for what fuses."""

import pytest

from handlers.commands.context import AppContext
from pipeline.errors import InvalidRequest
from storage.guilds.guilds import Guild
from tests.app_contexts import CallCommand
from tests.handlers.lora_adders import new_lora


@pytest.mark.parametrize(
    ("lora", "name"),
    [
        ("crayon:1", "set"),
        ("crayon film", "crayon"),
        ("crayon who", "set"),
        ("crayon <lora:film:1:stop=5>", "set"),
        ("crayon <lora:film:1:lbw=1,0>", "set"),
    ],
)
async def test_what_cannot_be_a_set_is_refused_at_once(
    call: CallCommand, context: AppContext, guild: Guild, lora: str, name: str
) -> None:
    """One alone, a taken name, one that is not here, in some steps, or in no blocks: nothing is queued."""
    for known in ("crayon", "film"):
        await context.loras.add(new_lora(guild, known))
    with pytest.raises(InvalidRequest):
        await call("lora fuse", lora=lora, name=name)
    assert await context.queue.guild_jobs(guild.id) == ()
