"""/lora add from the call to the card: a real queue, with stand-ins for what fetches, imports and fuses."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.commands.arguments import Arguments
from handlers.commands.attachments import AttachedFile, OfferedFile
from handlers.commands.call import Call, Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.commands.permissions import NotAllowed
from handlers.delivery.delivery import Delivery
from handlers.loras.add import COMMAND as LORA_ADD
from handlers.loras.import_job import check_loss
from handlers.loras.import_request import LoraOrder
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest, UserError
from pipeline.lora.importing.report import Embedding
from pipeline.lora.sources.keys import SourceKeys
from storage.guilds.guilds import Guild
from storage.guilds.source_credentials import KeySource
from storage.platform import Platform
from storage.queue.jobs import JobState
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.fakes import FakeChat, FakeClock
from tests.handlers.lora_adders import (
    CANONICAL,
    REPORT,
    FakeImporters,
    FakeSource,
    base,
    ended,
    find,
    new_lora,
    working,
)


async def delivered(context: AppContext, clock: FakeClock) -> Message:
    chat = FakeChat()
    await Delivery(context=context, chat=chat, poster="p", clock=clock).deliver_due()
    return chat.delivered[-1][1]


async def upload(context: AppContext) -> AttachedFile:
    data = b"a member's file"
    return AttachedFile(blob=await context.blobs.put(data), name="Crayon V2.safetensors", size=len(data))


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
    assert "lost" not in lora.story
    assert len(card.images) == 1


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
    assert [order.model for order in importers.orders] == [one.model for one in (bases[:2] if fits else bases)]


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


@pytest.mark.parametrize("residual", [0.0, 0.02, 0.021])
def test_a_part_that_cannot_be_served_needs_the_members_word(residual: float) -> None:
    """By its share of the weights, over two hundredths."""
    report, order = replace(REPORT, residual=residual), LoraOrder(key="key", blob="blob")
    check_loss(report, replace(order, accept_loss=True))
    if residual <= 0.02:
        check_loss(report, order)
        return
    with pytest.raises(UserError, match=r"Of this LoRA 2\.10% of its weights would be lost here; add it again"):
        check_loss(report, order)


@pytest.mark.parametrize("accepted", [True, False])
async def test_what_would_be_lost_is_added_at_the_members_word_alone(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path, *, accepted: bool
) -> None:
    """And its card says so."""
    importers = FakeImporters(replace(REPORT, residual=0.034))
    await call("lora add", file=await upload(context), accept_loss=accepted)
    async with working(context, tmp_path, importers=importers):
        job = await ended(context, guild)

    assert job.state is (JobState.DONE if accepted else JobState.FAILED), job.error
    assert [path.read_bytes() for path in tmp_path.glob("*.safetensors")] == [CANONICAL] * accepted
    cards = [lora.story for lora in await context.loras.search(guild.id, "ada")]
    assert ["lost: 3.40% of its weights" in card for card in cards] == [True] * accepted


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


async def test_cancel_works_while_it_is_fetched(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """With nothing left behind, nor a slot taken on the device meanwhile."""
    source = FakeSource(stuck=True)
    message = await call("lora add", link="https://example.org/x")
    assert message.job_id is not None
    async with working(context, tmp_path, source):
        await source.begun.wait()
        await context.queue.cancel(guild.id, message.job_id)
        job = await ended(context, guild)

    assert job.state is JobState.CANCELLED
    assert not list((tmp_path / "incoming").iterdir())


async def test_a_stop_gives_it_back_and_the_next_worker_begins_again(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """The attempt uncounted, with a whole file in place of the part."""
    source, importers = FakeSource(stuck=True), FakeImporters()
    await call("lora add", link="https://example.org/x")
    async with working(context, tmp_path, source):
        await source.begun.wait()
    async with working(context, tmp_path, FakeSource(), importers):
        job = await ended(context, guild)

    assert (job.state, job.attempt) == (JobState.DONE, 1)
    assert importers.read == [b"the whole file"]
    assert await context.loras.get(guild.id, "ada", "chalk-co") is not None


async def test_one_file_in_two_guilds_is_two(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """Each with a name, a key and a canonical file of its own; neither hears of the other."""
    file = await upload(context)
    await call("lora add", file=file, name="mine")
    other = await context.guilds.ensure(Platform.DISCORD, "2", "Others")
    address = ReplyAddress(platform=Platform.DISCORD, channel_id="c", user_id="bob")
    arguments = Arguments.check(LORA_ADD, {"file": file, "name": "mine"})
    theirs = Call(guild=other, member=Member(id="bob", name="Bob"), arguments=arguments, reply=address)
    await LORA_ADD.handler(theirs, context)
    async with working(context, tmp_path):
        assert (await ended(context, guild)).state is JobState.DONE
        assert (await ended(context, other)).state is JobState.DONE

    (one,), (two,) = await context.loras.search(guild.id, "ada"), await context.loras.search(other.id, "bob")
    assert one.key != two.key
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == {one.key, two.key}
    assert not (tmp_path / f"{one.key}.safetensors").samefile(tmp_path / f"{two.key}.safetensors")


@pytest.mark.parametrize("values", [{}, {"link": "https://example.org/x", "name": "a b"}])
async def test_what_cannot_be_is_refused_at_once(
    call: CallCommand, context: AppContext, guild: Guild, values: dict[str, str]
) -> None:
    """Before anything is queued."""
    with pytest.raises(InvalidRequest):
        await call("lora add", **values)
    assert await context.queue.guild_jobs(guild.id) == ()
