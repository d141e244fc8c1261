"""A subject as a member names it."""

from dataclasses import replace

import pytest

from handlers.commands.context import AppContext
from handlers.prompts.subjects import check_subject
from pipeline.errors import InvalidRequest
from storage.guilds.guilds import Guild
from tests.handlers.lora_adders import new_lora


async def test_any_other_lora_is_no_subject(context: AppContext, guild: Guild) -> None:
    rex = await context.loras.add(replace(new_lora(guild, "rex"), subject=True))
    crayon = await context.loras.add(new_lora(guild, "crayon"))

    assert check_subject(rex) is rex
    with pytest.raises(InvalidRequest, match="'crayon' is no subject; /subject list shows those"):
        check_subject(crayon)
