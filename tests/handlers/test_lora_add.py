"""/lora add from the call to the card: a real queue, a real file, a real import in a child process."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, load_file, save, save_file

import pipeline
from handlers.answer import answer
from handlers.arguments import Arguments
from handlers.attached_file import AttachedFile
from handlers.call import Call, Caller, Member
from handlers.chat_platform import ChatPlatform
from handlers.delivery import Delivery
from handlers.lora_add import COMMAND as LORA_ADD
from handlers.lora_adding import Base, LoraAdding, check_loss
from handlers.lora_order import LoraOrder
from handlers.lora_room import LoraRoom
from handlers.message import Message
from handlers.offered_file import OfferedFile
from handlers.permissions import NotAllowed
from handlers.preparations import Told
from handlers.studio import Studio
from handlers.worker import Worker
from pipeline.errors import InvalidRequest, UserError
from pipeline.lora_file import FORMAT, VERSION
from pipeline.lora_import.child import importing
from pipeline.lora_import.importers import Importers
from pipeline.lora_import.report import ImportReport
from pipeline.lora_sources.fetched import FetchedFile
from pipeline.lora_sources.keys import SourceKeys
from pipeline.model_facts import ModelFamily
from storage.guilds import Guild, Platform
from storage.jobs import Job, JobKind, JobState
from storage.loras import Lora, NewLora, new_key
from storage.replies import ReplyAddress
from storage.source_keys import KeySource
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, FakeDevice
from tests.studios import FACTS, CallCommand

POCKET = Path(pipeline.__file__).parent / "pocket"
CANONICAL = {"format": FORMAT, "version": VERSION}
LAYER = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"


def lora_bytes() -> bytes:
    width = 128
    tensors = {
        f"{LAYER}.lora_down.weight": torch.full((4, width), 0.01),
        f"{LAYER}.lora_up.weight": torch.full((width, 4), 0.01),
    }
    data: bytes = save(tensors, metadata={"modelspec.license": "CC0", "modelspec.trigger_phrase": "crayon drawing"})
    return data


def new_lora(guild: Guild, name: str, *, size: int = 1, owner: str = "ada", private: bool = False) -> NewLora:
    return NewLora(
        guild_id=guild.id, name=name, owner_id=owner, base_family=ModelFamily.SDXL, key=new_key(guild.id), size=size,
        private=private,
    )  # fmt: skip


@dataclass(slots=True)
class FakeSource:
    """A source that hands over `data`, or waits for ever when it has none."""

    data: bytes | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    keys: SourceKeys | None = None

    async def fetch(self, link: str, folder: Path, *, keys: SourceKeys, told: Told) -> FetchedFile:
        self.keys = keys
        (folder / "file.safetensors").write_bytes(self.data or b"a part")
        told(40, 100)
        self.begun.set()
        if self.data is None:
            await asyncio.Event().wait()
        return FetchedFile(
            path=folder / "file.safetensors",
            size=1,
            sha256="",
            file_name="f.safetensors",
            title="Chalk & Co",
            page=link,
        )


@asynccontextmanager
async def working(
    studio: Studio, folder: Path, source: FakeSource | None = None, quota: int = 2**30
) -> AsyncIterator[FakeDevice]:
    stop, device = asyncio.Event(), FakeDevice()
    adding = LoraAdding(
        room=LoraRoom(loras=studio.loras, quota=quota), keys=studio.source_keys, blobs=studio.blobs,
        source=source or FakeSource(), folder=folder, bases=[Base(facts=FACTS, model=POCKET, configs=POCKET)],
        importers=Importers(lambda: importing(POCKET, POCKET, ModelFamily.SDXL)),
    )  # fmt: skip
    worker = Worker(
        name="worker", queue=studio.queue, blobs=studio.blobs, costs=studio.costs, devices=(device,),
        kinds={JobKind.ADD_LORA: adding}, drain_seconds=0.0,
    )  # fmt: skip
    task = asyncio.create_task(worker.run(stop))
    try:
        yield device
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def ended(studio: Studio, guild: Guild) -> Job:
    async def look() -> Job | None:
        (job, *_) = await studio.queue.guild_jobs(guild.id)
        return job if job.finished_at is not None else None

    return await eventually(look)


async def told(studio: Studio, clock: FakeClock) -> Message:
    chat = FakeChat()
    platform: ChatPlatform = chat
    await Delivery(studio=studio, chat=platform, poster="p", clock=clock).deliver_due()
    return chat.delivered[-1][1]


async def upload(studio: Studio, data: bytes) -> AttachedFile:
    return AttachedFile(blob=await studio.blobs.put(data), name="Crayon V2.safetensors", size=len(data))


async def test_a_file_becomes_a_card_with_a_picture(
    call: CallCommand, studio: Studio, guild: Guild, clock: FakeClock, tmp_path: Path
) -> None:
    """Its name from the file's, its picture asked with its trigger words, its file under its own key alone."""
    await call("lora add", file=await upload(studio, lora_bytes()))
    async with working(studio, tmp_path) as device:
        job = await ended(studio, guild)
    assert job.state is JobState.DONE, job.error

    lora = await studio.loras.get(guild.id, "ada", "crayon-v2")
    assert lora is not None
    (render,) = device.submitted
    assert render.request.prompt == "crayon drawing"
    assert [use.key for use in render.request.loras] == [lora.key]
    assert [path.name for path in tmp_path.glob("*.safetensors")] == [f"{lora.key}.safetensors"]
    assert not list((tmp_path / "incoming").iterdir())
    card = await told(studio, clock)
    assert "1 of 1 layers matched" in "\n".join(card.lines)
    assert "CC0" in "\n".join(card.lines)
    assert len(card.pictures) == 1


async def test_a_textual_inversion_is_called_as_the_upload_is(
    call: CallCommand, studio: Studio, guild: Guild, clock: FakeClock, tmp_path: Path
) -> None:
    """Its word is the first of the trigger words, so that its picture is one of it."""
    data = save({"clip_l": torch.ones(2, 64), "clip_g": torch.ones(2, 128)}, metadata={"trigger_words": "wax"})
    await call("lora add", file=await upload(studio, data))
    async with working(studio, tmp_path) as device:
        job = await ended(studio, guild)
    assert job.state is JobState.DONE, job.error

    (render,) = device.submitted
    assert render.request.prompt == "crayon-v2, wax"
    lines = "\n".join((await told(studio, clock)).lines)
    assert "textual inversion\nWords with vectors of their own: crayon-v2 (2)" in lines


async def test_a_refusal_is_one_sentence_and_leaves_nothing(
    call: CallCommand, studio: Studio, guild: Guild, clock: FakeClock, tmp_path: Path
) -> None:
    """No row, no file."""
    await call("lora add", file=await upload(studio, b"\x80\x04pickle"))
    async with working(studio, tmp_path):
        job = await ended(studio, guild)

    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert "pickle" in "\n".join((await told(studio, clock)).lines)
    assert await studio.loras.search(guild.id, "ada") == ()
    assert not list(tmp_path.glob("*.safetensors"))


async def test_what_cannot_be_added_is_not_even_taken_in(studio: Studio, guild: Guild) -> None:
    """A taken name, a name that cannot be, a full library: no byte of the attached file is fetched."""
    await studio.loras.add(new_lora(guild, "crayon"))
    fetched = []

    async def chunks() -> AsyncGenerator[bytes, None]:
        fetched.append(True)
        yield lora_bytes()

    address = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    caller = Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=address)
    file = OfferedFile(name="a.safetensors", size=0, chunks=chunks)
    for name, words in (("crayon", "has a LoRA 'crayon' already"), ("a/b", "cannot be a LoRA's name")):
        with pytest.raises(InvalidRequest, match=words):
            await answer(LORA_ADD, {"file": file, "name": name}, caller, studio)
    await studio.loras.add(new_lora(guild, "large", size=studio.lora_quota_bytes))
    with pytest.raises(UserError, match="remove one with /lora remove"):
        await answer(LORA_ADD, {"file": file}, caller, studio)
    assert not fetched

    await studio.loras.remove(await find(studio, guild, "large"))
    await answer(LORA_ADD, {"file": file}, caller, studio)
    assert fetched


async def find(studio: Studio, guild: Guild, name: str) -> Lora:
    lora = await studio.loras.get(guild.id, "ada", name)
    assert lora is not None
    return lora


async def test_norms_and_biases_need_no_word(call: CallCommand, studio: Studio, guild: Guild, tmp_path: Path) -> None:
    """They are served like all else, and nothing is lost."""
    norms = {"lora_unet_down_blocks_1_resnets_0_norm1.w_norm": torch.full((64,), 0.01)}
    async with working(studio, tmp_path):
        await call("lora add", file=await upload(studio, save(load(lora_bytes()) | norms)))
        job = await ended(studio, guild)

    assert job.error is None
    story = (await find(studio, guild, "crayon-v2")).story
    assert "norm" in story
    assert "lost" not in story


@pytest.mark.parametrize("residual", [0.0, 0.019, 0.034])
def test_a_part_that_cannot_be_served_needs_the_members_word(residual: float) -> None:
    """By its share of the weights, over two hundredths."""
    report = ImportReport(
        layout="kohya", algorithms=("LoHa",), family=ModelFamily.SDXL, layers=1, ranks=(256, 256), residual=residual,
        worst_residual=residual, rounding=0.0, embeddings=(), trigger_words=(), licence=None, sha256="", size=1,
        notes=(),
    )  # fmt: skip
    order = LoraOrder(key="key", blob="blob")
    check_loss(report, replace(order, accept_loss=True))
    if residual < 0.02:
        check_loss(report, order)
        return
    with pytest.raises(UserError, match=r"Of this LoRA 3\.40% of its weights would be lost here; add it again"):
        check_loss(report, order)


async def test_a_taken_name_is_told_before_anything_is_fetched(
    call: CallCommand, studio: Studio, guild: Guild, tmp_path: Path
) -> None:
    """At once; and where it was taken meanwhile, before the source is asked. A private one takes nobody's name."""
    await call("lora add", link="https://example.org/x", name="crayon")
    await studio.loras.add(new_lora(guild, "crayon"))
    source = FakeSource(lora_bytes())
    async with working(studio, tmp_path, source):
        job = await ended(studio, guild)

    assert "has a LoRA 'crayon' already" in (job.error or "")
    assert not source.begun.is_set()
    with pytest.raises(InvalidRequest, match="has a LoRA 'crayon' already"):
        await call("lora add", link="https://example.org/x", name="Crayon")
    await call("lora add", link="https://example.org/x", name="crayon", private=True)


async def test_a_name_that_nobody_chose_gives_way(
    call: CallCommand, studio: Studio, guild: Guild, tmp_path: Path
) -> None:
    """What was fetched is not thrown away because its page is called like another one's."""
    await studio.loras.add(new_lora(guild, "chalk-co"))
    await call("lora add", link="https://example.org/x")
    async with working(studio, tmp_path, FakeSource(lora_bytes())):
        job = await ended(studio, guild)

    assert job.state is JobState.DONE, job.error
    assert [lora.name for lora in await studio.loras.search(guild.id, "ada")] == ["chalk-co", "chalk-co-2"]


async def test_a_library_that_is_full_takes_no_order(call: CallCommand, studio: Studio, guild: Guild) -> None:
    """Nor does a role that may not add: neither is queued."""
    await studio.loras.add(new_lora(guild, "crayon", size=studio.lora_quota_bytes))
    with pytest.raises(UserError, match="remove one with /lora remove"):
        await call("lora add", link="https://example.org/x")

    settings = replace(guild.settings, command_roles=(("lora add", ("curators",)),))
    await studio.guilds.save_settings(guild.id, settings, "Ada")
    with pytest.raises(NotAllowed, match="needs a role"):
        await call("lora add", link="https://example.org/x")
    assert await studio.queue.guild_jobs(guild.id) == ()


async def test_a_full_library_says_so(call: CallCommand, studio: Studio, guild: Guild, tmp_path: Path) -> None:
    """And what to do."""
    await call("lora add", link="https://example.org/x")
    async with working(studio, tmp_path, FakeSource(lora_bytes()), quota=1):
        job = await ended(studio, guild)

    assert "remove one with /lora remove" in (job.error or "")
    assert not list(tmp_path.glob("*.safetensors"))


async def test_a_link_is_fetched_with_its_own_guilds_keys(
    call: CallCommand, studio: Studio, guild: Guild, tmp_path: Path
) -> None:
    """No other guild's is ever sent."""
    other = await studio.guilds.ensure(Platform.DISCORD, "2", "Others")
    await studio.source_keys.put(guild.id, KeySource.CIVITAI, "ours", "Ada")
    await studio.source_keys.put(other.id, KeySource.HUGGING_FACE, "theirs", "Bob")
    source = FakeSource(lora_bytes())
    await call("lora add", link="https://example.org/x")
    async with working(studio, tmp_path, source):
        await ended(studio, guild)

    assert source.keys == SourceKeys(civitai="ours")


async def test_cancel_works_while_it_is_fetched(
    call: CallCommand, studio: Studio, guild: Guild, tmp_path: Path
) -> None:
    """With nothing left behind, nor a seat taken on the device meanwhile."""
    source = FakeSource()
    message = await call("lora add", link="https://example.org/x")
    assert message.job_id is not None
    async with working(studio, tmp_path, source):
        await source.begun.wait()
        await studio.queue.cancel(guild.id, message.job_id)
        job = await ended(studio, guild)

    assert job.state is JobState.CANCELLED
    assert not list((tmp_path / "incoming").iterdir())


async def test_a_stop_gives_it_back_and_the_next_worker_begins_anew(
    call: CallCommand, studio: Studio, guild: Guild, tmp_path: Path
) -> None:
    """The attempt uncounted, with a whole file in place of the part."""
    source = FakeSource()
    await call("lora add", link="https://example.org/x")
    async with working(studio, tmp_path, source):
        await source.begun.wait()
    async with working(studio, tmp_path, FakeSource(lora_bytes())):
        job = await ended(studio, guild)

    assert (job.state, job.attempt) == (JobState.DONE, 1)
    assert await studio.loras.get(guild.id, "ada", "chalk-co") is not None


async def test_a_set_becomes_a_lora_of_its_own(call: CallCommand, studio: Studio, guild: Guild, tmp_path: Path) -> None:
    """Made of its members' files, which stay as they are; used, told and removed like any other."""
    for name in ("crayon", "film"):
        lora = await studio.loras.add(new_lora(guild, name, private=name == "film"))
        tensors = {"unet.conv_in.down": torch.ones(2, 4, 3, 3), "unet.conv_in.up": torch.ones(16, 2)}
        save_file(tensors, tmp_path / f"{lora.key}.safetensors", metadata={**CANONICAL, "family": "sdxl"})
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.safetensors")}
    await call("lora fuse", lora="crayon:0.8 film:0.5", name="chalky")
    async with working(studio, tmp_path):
        job = await ended(studio, guild)
    assert job.state is JobState.DONE, job.error

    made = await studio.loras.get(guild.id, "ada", "chalky")
    assert made is not None
    assert made.private, "a member of it is"
    assert "A set: crayon:0.8 film:0.5" in made.story
    fused = load_file(tmp_path / f"{made.key}.safetensors")
    assert fused["unet.conv_in.up"][0].tolist() == pytest.approx([0.8, 0.8, 0.5, 0.5])
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(("lora", "name"), [("crayon:1", "set"), ("crayon film", "crayon"), ("crayon who", "set")])
async def test_what_cannot_be_a_set_is_refused_at_once(
    call: CallCommand, studio: Studio, guild: Guild, lora: str, name: str
) -> None:
    """One alone, a taken name, a stranger: nothing is queued."""
    for known in ("crayon", "film"):
        await studio.loras.add(new_lora(guild, known))
    with pytest.raises(InvalidRequest):
        await call("lora fuse", lora=lora, name=name)
    assert await studio.queue.guild_jobs(guild.id) == ()


async def test_one_file_in_two_guilds_is_two(call: CallCommand, studio: Studio, guild: Guild, tmp_path: Path) -> None:
    """Each with a name, a key and a canonical file of its own; neither hears of the other."""
    file = await upload(studio, lora_bytes())
    await call("lora add", file=file, name="mine")
    other = await studio.guilds.ensure(Platform.DISCORD, "2", "Others")
    address = ReplyAddress(platform=Platform.DISCORD, channel_id="c", user_id="bob")
    arguments = Arguments.check(LORA_ADD, {"file": file, "name": "mine"})
    theirs = Call(guild=other, member=Member(id="bob", name="Bob"), arguments=arguments, reply=address)
    await LORA_ADD.handler(theirs, studio)
    async with working(studio, tmp_path):
        assert (await ended(studio, guild)).state is JobState.DONE
        assert (await ended(studio, other)).state is JobState.DONE

    (one,), (two,) = await studio.loras.search(guild.id, "ada"), await studio.loras.search(other.id, "bob")
    assert one.key != two.key
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == {one.key, two.key}
    assert not (tmp_path / f"{one.key}.safetensors").samefile(tmp_path / f"{two.key}.safetensors")


@pytest.mark.parametrize("values", [{}, {"link": "https://example.org/x", "name": "a b"}])
async def test_what_cannot_be_is_refused_at_once(
    call: CallCommand, studio: Studio, guild: Guild, values: dict[str, str]
) -> None:
    """Before anything is queued."""
    with pytest.raises(InvalidRequest):
        await call("lora add", **values)
    assert await studio.queue.guild_jobs(guild.id) == ()
