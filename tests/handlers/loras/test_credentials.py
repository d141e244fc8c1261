"""The guild's keys in commands: set and removed by admins, shown to nobody."""

import pytest

from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.commands.permissions import NotAllowed
from handlers.loras.credentials import COMMAND
from pipeline.errors import InvalidRequest
from pipeline.lora.sources.keys import SourceKeys
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand


async def test_a_key_is_said_to_be_there_and_never_shown(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """Neither when it is set, nor later, nor in the log; the answers are for the admin alone."""
    said = [
        await call("lora key", source="civitai", set=" hush-hush "),
        await call("lora key"),
        await call("settings", show="log"),
    ]

    assert await context.source_keys.get(guild.id) == SourceKeys(civitai="hush-hush")
    assert said[1].lines == ("Civitai: a key is set", "Hugging Face: no key")
    assert "civitai key set" in "".join(said[2].lines)
    assert "hush" not in repr(said)
    assert all(message.private for message in said)


async def test_a_key_is_removed(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """And the second time told to have been gone."""
    await call("lora key", source="huggingface", set="hush")

    assert "forgotten" in (await call("lora key", source="huggingface", remove=True)).headline
    assert "no key" in (await call("lora key", source="huggingface", remove=True)).headline
    assert await context.source_keys.get(guild.id) == SourceKeys()


@pytest.mark.parametrize("values", [{"set": "hush"}, {"source": "civitai", "set": "hush", "remove": True}])
async def test_what_is_unclear_changes_nothing(
    call: CallCommand, context: AppContext, guild: Guild, values: dict[str, str]
) -> None:
    """A key without its source, or one both set and removed."""
    with pytest.raises(InvalidRequest, match="Say which key"):
        await call("lora key", **values)
    assert await context.source_keys.sources(guild.id) == frozenset()


async def test_only_admins_come_near(context: AppContext, guild: Guild) -> None:
    """Others are not even told whether there is one."""
    address = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="bob")
    caller = Caller(guild=guild, member=Member(id="bob", name="Bob"), reply=address)
    with pytest.raises(NotAllowed):
        await answer(COMMAND, {}, caller, context)
