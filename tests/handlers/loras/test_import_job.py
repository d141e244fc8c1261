"""What a worker does for /lora add: a real queue, with stand-ins for what fetches and imports."""

from dataclasses import replace
from pathlib import Path

import pytest

from handlers.commands.arguments import read_options
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.loras.add import COMMAND as LORA_ADD
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.importing.report import Embedding
from pipeline.lora.sources.keys import SourceKeys
from storage.guilds.guilds import Guild
from storage.guilds.source_credentials import KeySource
from storage.platform import Platform
from storage.queue.jobs import JobState
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.fakes import FakeClock
from tests.handlers.lora_adders import (
    REPORT,
    FakeImporters,
    FakeSource,
    base,
    delivered,
    ended,
    new_lora,
    upload,
    working,
)


async def test_a_textual_inversion_is_called_as_the_upload_is(
    call: CallCommand, context: AppContext, guild: Guild, clock: FakeClock, tmp_path: Path
) -> None:
    """Its word is the first of the trigger words, so that its image is one of it."""
    embedding = Embedding(trigger="crayon-v2", tensors={}, vectors=2)
    importers = FakeImporters(
        replace(
            REPORT, algorithms=("textual inversion",), ranks=(0, 0), embeddings=(embedding,), trigger_words=("wax",)
        )
    )
    await call("lora add", file=await upload(context))
    async with working(context, tmp_path, importers=importers) as device:
        job = await ended(context, guild)
    assert job.state is JobState.DONE, job.error

    assert [order.word for order in importers.orders] == ["crayon-v2"]
    (render,) = device.submitted
    assert render.request.prompt == "crayon-v2, wax"
    lines = "\n".join((await delivered(context, clock)).lines)
    assert "textual inversion\nWords with vectors of their own: crayon-v2 (2)" in lines


async def test_a_refusal_is_one_sentence_and_leaves_nothing(
    call: CallCommand, context: AppContext, guild: Guild, clock: FakeClock, tmp_path: Path
) -> None:
    """No row, no file."""
    refusals = {base(tmp_path).model: "This file is a pickle."}
    await call("lora add", file=await upload(context))
    async with working(context, tmp_path, importers=FakeImporters(refusals=refusals)):
        job = await ended(context, guild)

    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert "This file is a pickle." in (await delivered(context, clock)).lines
    assert await context.loras.search(guild.id, "ada") == ()
    assert not list(tmp_path.glob("*.safetensors"))
    assert not list((tmp_path / "incoming").iterdir())


@pytest.mark.parametrize("fits", [True, False])
async def test_a_file_may_be_for_another_model_than_the_default(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path, *, fits: bool
) -> None:
    """Each is tried in turn; where none fits, the default model's sentence is told."""
    bases = [base(tmp_path, "default"), base(tmp_path, "other"), base(tmp_path, "never asked")]
    refusals = {one.model: f"Not for {one.model.name}." for one in bases if one.model.name == "default" or not fits}
    importers = FakeImporters(refusals=refusals)
    await call("lora add", file=await upload(context))
    async with working(context, tmp_path, importers=importers, bases=bases):
        job = await ended(context, guild)

    assert job.error == (None if fits else "Not for default.")
    assert [order.configs for order in importers.orders] == [one.model for one in (bases[:2] if fits else bases)]


async def test_a_lora_follows_the_program_that_its_member_names(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """And its card says so."""
    importers = FakeImporters(replace(REPORT, scale_rule=ScaleRule.PEFT))
    await call("lora add", file=await upload(context), scale_rule=ScaleRule.PEFT)
    async with working(context, tmp_path, importers=importers):
        await ended(context, guild)

    assert [order.scale_rule for order in importers.orders] == [ScaleRule.PEFT]
    (card,) = [lora.metadata for lora in await context.loras.search(guild.id, "ada")]
    assert "scaled as by peft" in card


async def test_a_name_that_nobody_chose_gives_way(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """What was fetched is not thrown away because its page is called like another one's."""
    await context.loras.add(new_lora(guild, "chalk-co"))
    await call("lora add", link="https://example.org/x")
    async with working(context, tmp_path, FakeSource()):
        job = await ended(context, guild)

    assert job.state is JobState.DONE, job.error
    assert [lora.name for lora in await context.loras.search(guild.id, "ada")] == ["chalk-co", "chalk-co-2"]


async def test_a_full_library_says_so(call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path) -> None:
    """And what to do."""
    await call("lora add", link="https://example.org/x")
    async with working(context, tmp_path, FakeSource(), quota=1):
        job = await ended(context, guild)

    assert "remove one with /lora remove" in (job.error or "")
    assert not list(tmp_path.glob("*.safetensors"))


async def test_a_link_is_fetched_with_its_own_guilds_keys(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """No other guild's is ever sent."""
    other = await context.guilds.ensure(Platform.DISCORD, "2", "Others")
    await context.source_keys.put(guild.id, KeySource.CIVITAI, "ours", "Ada")
    await context.source_keys.put(other.id, KeySource.HUGGING_FACE, "theirs", "Bob")
    source = FakeSource()
    await call("lora add", link="https://example.org/x")
    async with working(context, tmp_path, source):
        await ended(context, guild)

    assert source.keys == SourceKeys(civitai="ours")


async def test_one_file_in_two_guilds_is_two(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """Each with a name, a key and a canonical file of its own; neither hears of the other."""
    file = await upload(context)
    await call("lora add", file=file, name="mine")
    other = await context.guilds.ensure(Platform.DISCORD, "2", "Others")
    address = ReplyAddress(platform=Platform.DISCORD, channel_id="c", user_id="bob")
    theirs = Caller(guild=other, member=Member(id="bob", name="Bob"), reply=address)
    await LORA_ADD.handler(theirs, read_options(LORA_ADD, {"file": file, "name": "mine"}), context)
    async with working(context, tmp_path):
        assert (await ended(context, guild)).state is JobState.DONE
        assert (await ended(context, other)).state is JobState.DONE

    (one,), (two,) = await context.loras.search(guild.id, "ada"), await context.loras.search(other.id, "bob")
    assert one.key != two.key
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == {one.key, two.key}
    assert not (tmp_path / f"{one.key}.safetensors").samefile(tmp_path / f"{two.key}.safetensors")


async def test_an_import_hears_what_the_page_and_the_member_say(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """Layers do not tell Kolors from SDXL, nor does a file of PEFT alone its alpha."""
    importers = FakeImporters()
    await call("lora add", link="owner/name", alpha=8)
    async with working(context, tmp_path, source=FakeSource(base_model="Kolors"), importers=importers):
        await ended(context, guild)

    assert [(order.base_model, order.title, order.alpha) for order in importers.orders] == [
        ("Kolors", "Chalk & Co f.safetensors", 8)
    ]
