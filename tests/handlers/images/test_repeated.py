"""An image asked for again where what it was made with may be missing."""

import pytest

from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.images.repeated import left_out, with_own_loras, with_own_parts
from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.image_request import LoraUse
from pipeline.requests.start_image import StartImage
from storage.guilds.guilds import Guild
from storage.library.loras import NewLora
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
from tests.fakes import request

_CRAYON = LoraUse(key="elsewhere-1", name="crayon", scale=0.5, hash="b2" * 6)


@pytest.fixture
def caller(guild: Guild) -> Caller:
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="c", user_id="ada")
    return Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=reply)


async def add(context: AppContext, guild: Guild, name: str, *hashes: str) -> None:
    await context.loras.add(
        NewLora(
            guild_id=guild.id, name=name, owner_id="ann", base_family=ModelFamily.SDXL, key=f"key-{name}", size=1,
            hashes=hashes,
        )
    )  # fmt: skip


async def test_a_lora_is_this_folders_own(context: AppContext, guild: Guild, caller: Caller) -> None:
    """By its file, whatever it is called here, else by its name; its scale stays."""
    await add(context, guild, "pastel", "a1" * 32, "b2" * 32)

    by_file = await with_own_parts(request(loras=(_CRAYON,)), caller, context)
    await add(context, guild, "film")
    by_name = await with_own_parts(request(loras=(LoraUse(key="x", name="film"),)), caller, context)

    assert by_file.loras == (LoraUse(key="key-pastel", name="pastel", scale=0.5, hash="b2" * 6),)
    assert by_name.loras == (LoraUse(key="key-film", name="film"),)
    again = request(loras=by_name.loras)
    assert await with_own_parts(again, caller, context) == again


async def test_everything_that_is_missing_is_named(context: AppContext, caller: Caller) -> None:
    """In one sentence, with what to do."""
    here = await context.blobs.put(b"a picture")
    whole = request(
        loras=(_CRAYON,),
        start=StartImage(image="f" * 64, mask="e" * 64),
        controls=(ControlUse(kind=ControlKind.EDGE, image=here), ControlUse(kind=ControlKind.DEPTH, image="d" * 64)),
    )

    with pytest.raises(UserError) as refused:
        await with_own_parts(whole, caller, context)

    assert str(refused.value) == (
        "This picture was made with LoRA 'crayon', the picture of its control depth, its mask and the picture that it "
        "was drawn over, not found here; use the data folder that made it (LIMNER_DATA), or add what is missing first."
    )
    with pytest.raises(UserError, match=r"made with LoRA 'crayon', not found here"):
        await with_own_loras(whole, caller, context)


def test_what_options_cannot_ask_for_is_said() -> None:
    """The start image and the controls."""
    edge = ControlUse(kind=ControlKind.EDGE, image="d" * 64)

    assert left_out(request()) == ""
    assert left_out(request(start=StartImage(image="f" * 64), controls=(edge,))) == (
        "With other options it is drawn without the picture that it was drawn over and its control edge."
    )
