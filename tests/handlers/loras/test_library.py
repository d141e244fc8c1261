"""A guild's library in commands: who sees, changes and removes what."""

import pytest

from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from storage.guilds.guilds import Guild
from storage.library.loras import Lora, NewLora, new_key
from storage.platform import Platform
from tests.app_contexts import CallCommand


async def add(
    context: AppContext, guild: Guild, name: str, *, owner: str = "ada", private: bool = False, subject: bool = False
) -> Lora:
    new = NewLora(
        guild_id=guild.id, name=name, owner_id=owner, base_family=ModelFamily.SDXL, key=new_key(guild.id), size=2**20,
        scale=0.8, trigger_words="crayon drawing", metadata="LoRA, 722 of 722 layers", private=private, subject=subject,
    )  # fmt: skip
    return await context.loras.add(new)


def labels(message: Message) -> list[str]:
    return [button.label for row in message.buttons for button in row]


async def test_list_pages_past_25_and_searches(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """A button leads on and one back; other guilds' are in none of it."""
    other = await context.guilds.ensure(Platform.DISCORD, "2", "Others")
    await add(context, other, "style-00")
    for number in range(30):
        await add(context, guild, f"style-{number:02}")

    first, second = await call("lora list"), await call("lora list", page=2)

    assert (len(first.lines), labels(first)) == (25, ["More"])
    assert (len(second.lines), labels(second)) == (5, ["Back"])
    assert len((await call("lora list", search="STYLE-00")).lines) == 1
    assert "No LoRA here is called 'x'" in (await call("lora list", search="x")).headline


async def test_the_card_tells_what_was_imported(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """And how to use it."""
    await add(context, guild, "crayon")

    lines = "\n".join((await call("lora info", name="Crayon:0.5")).lines)

    assert "--lora crayon:0.8" in lines
    assert "crayon drawing" in lines
    assert "722 of 722 layers" in lines


@pytest.mark.parametrize(
    ("command", "values"),
    [
        ("lora rename", {"to": "pastel"}),
        ("lora scale", {"scale": -0.5}),
        ("lora share", {"whose": "private"}),
        ("lora remove", {"confirm": True}),
    ],
)
async def test_only_its_owner_and_admins_change_one(
    call: CallCommand, context: AppContext, guild: Guild, command: str, values: dict[str, str | float | bool]
) -> None:
    """Another member is told whose it is, and nothing changes."""
    lora = await add(context, guild, "crayon")

    with pytest.raises(NotAllowed, match="another member's"):
        await call(command, member="bob", name="crayon", **values)
    assert await context.loras.with_key(guild.id, lora.key) == lora

    await call(command, member="eve", admin=True, name="crayon", **values)
    assert await context.loras.with_key(guild.id, lora.key) != lora


@pytest.mark.parametrize("command", ["lora info", "lora remove"])
async def test_a_private_one_is_unknown_to_others(
    call: CallCommand, context: AppContext, guild: Guild, command: str
) -> None:
    """In the very words of a name that does not exist, to admins as well."""
    await add(context, guild, "crayon", private=True)

    with pytest.raises(InvalidRequest, match="This server has no LoRA 'crayon'; /lora list"):
        await call(command, member="bob", admin=True, name="crayon")
    assert (await call("lora list", member="bob")).lines == ()
    assert (await call("lora list")).lines == ("crayon:0.8 · private · crayon drawing",)


async def test_removal_is_confirmed_first(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """By a button that makes the call again."""
    lora = await add(context, guild, "crayon")

    assert labels(await call("lora remove", name="crayon")) == ["Remove it"]
    assert await context.loras.with_key(guild.id, lora.key) == lora
