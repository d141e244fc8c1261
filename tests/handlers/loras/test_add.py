"""/lora add from the call to the card: a real queue, with stand-ins for what fetches, imports and fuses."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.commands.attachments import OfferedFile
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.commands.permissions import NotAllowed
from handlers.loras.add import COMMAND as LORA_ADD
from pipeline.errors import InvalidRequest, UserError
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.jobs import JobState
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.fakes import FakeClock
from tests.handlers.lora_adders import (
    FakeImporters,
    FakeSource,
    delivered,
    ended,
    find,
    new_lora,
    upload,
    working,
)


async def test_a_file_becomes_a_card_with_an_image(
    call: CallCommand, context: AppContext, guild: Guild, clock: FakeClock, tmp_path: Path
) -> None:
    """Its name from the file's, its image asked with its trigger words, its file under its own key alone."""
    importers = FakeImporters()
    await call("lora add", file=await upload(context))
    async with working(context, tmp_path, importers=importers) as device:
        job = await ended(context, guild)
    assert job.state is JobState.DONE, job.error

    lora = await context.loras.get(guild.id, "ada", "crayon-v2")
    assert lora is not None
    (render,) = device.submitted
    assert render.request.prompt == "crayon drawing"
    assert [use.key for use in render.request.loras] == [lora.key]
    assert [path.name for path in tmp_path.glob("*.safetensors")] == [f"{lora.key}.safetensors"]
    assert not list((tmp_path / "incoming").iterdir())
    assert importers.read == [b"a member's file"]
    card = await delivered(context, clock)
    assert "1 of 1 layers matched" in "\n".join(card.lines)
    assert "CC0" in "\n".join(card.lines)
    assert "lost" not in lora.metadata
    assert len(card.images) == 1


async def test_what_cannot_be_added_is_not_even_taken_in(context: AppContext, guild: Guild) -> None:
    """A taken name, a name that cannot be, a full library: no byte of the attached file is fetched."""
    await context.loras.add(new_lora(guild, "crayon"))
    fetched = []

    async def chunks() -> AsyncGenerator[bytes, None]:
        fetched.append(True)
        yield b"a file"

    address = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    caller = Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=address)
    file = OfferedFile(name="a.safetensors", size=0, chunks=chunks)
    for name, words in (("crayon", "has a LoRA 'crayon' already"), ("a/b", "cannot be a LoRA's name")):
        with pytest.raises(InvalidRequest, match=words):
            await answer(LORA_ADD, {"file": file, "name": name}, caller, context)
    await context.loras.add(new_lora(guild, "large", size=context.lora_quota_bytes))
    with pytest.raises(UserError, match="remove one with /lora remove"):
        await answer(LORA_ADD, {"file": file}, caller, context)
    assert not fetched

    await context.loras.remove(await find(context, guild, "large"))
    await answer(LORA_ADD, {"file": file}, caller, context)
    assert fetched


async def test_a_taken_name_is_refused_before_anything_is_fetched(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """At once; and where it was taken meanwhile, before the source is asked. A private one takes nobody's name."""
    await call("lora add", link="https://example.org/x", name="crayon")
    await context.loras.add(new_lora(guild, "crayon"))
    source = FakeSource()
    async with working(context, tmp_path, source):
        job = await ended(context, guild)

    assert "has a LoRA 'crayon' already" in (job.error or "")
    assert not source.begun.is_set()
    with pytest.raises(InvalidRequest, match="has a LoRA 'crayon' already"):
        await call("lora add", link="https://example.org/x", name="Crayon")
    await call("lora add", link="https://example.org/x", name="crayon", private=True)


async def test_a_library_that_is_full_takes_no_order(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """Nor does a role that may not add: neither is queued."""
    await context.loras.add(new_lora(guild, "crayon", size=context.lora_quota_bytes))
    with pytest.raises(UserError, match="remove one with /lora remove"):
        await call("lora add", link="https://example.org/x")

    settings = replace(guild.settings, command_roles=(("lora add", ("curators",)),))
    await context.guilds.save_settings(guild.id, settings, "Ada")
    with pytest.raises(NotAllowed, match="needs a role"):
        await call("lora add", link="https://example.org/x")
    assert await context.queue.guild_jobs(guild.id) == ()


@pytest.mark.parametrize("values", [{}, {"link": "https://example.org/x", "name": "a b"}])
async def test_what_cannot_be_is_refused_at_once(
    call: CallCommand, context: AppContext, guild: Guild, values: dict[str, str]
) -> None:
    """Before anything is queued."""
    with pytest.raises(InvalidRequest):
        await call("lora add", **values)
    assert await context.queue.guild_jobs(guild.id) == ()
