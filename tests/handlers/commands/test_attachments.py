"""Files that members offer: fetched last, held to the limit while they come, left nowhere when they are refused."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from handlers.commands.arguments import Value
from handlers.commands.attachments import OfferedFile
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.commands.permissions import NotAllowed
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest, UserError
from storage.guilds.guilds import Guild, GuildSettings
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
from tests.brushes import LOAD, with_brushes

LIMIT = 1000


@dataclass(slots=True)
class Source:
    """A platform's file of `pieces` times 100 bytes, which breaks off after them where it is `broken`."""

    pieces: int
    broken: bool = False
    fetched: int = 0
    closed: bool = False

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(self.pieces):
                self.fetched += 1
                yield bytes(100)
            if self.broken:
                raise UserError("The platform does not answer; try again.")
        finally:
            self.closed = True

    def offered(self, size: int | None = None) -> OfferedFile:
        return OfferedFile(name="a.bin", size=self.pieces * 100 if size is None else size, chunks=self.chunks)


async def _load(
    context: AppContext, guild: Guild, file: Value, roles: tuple[tuple[str, tuple[str, ...]], ...] = (), **more: Value
) -> Message:
    await context.guilds.save_settings(guild.id, GuildSettings(command_roles=roles), "boss")
    fresh = await context.guilds.get(guild.id)
    assert fresh is not None
    address = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    caller = Caller(guild=fresh, member=Member(id="ada", name="Ada"), reply=address)
    return await answer(LOAD, {"name": "soft", "file": file, **more}, caller, with_brushes(context, LIMIT))


async def test_the_handler_gets_a_file_that_is_stored(context: AppContext, guild: Guild) -> None:
    """Up to the limit and no byte over it."""
    assert "of 1000 bytes" in (await _load(context, guild, Source(10).offered())).headline


@pytest.mark.parametrize("said", [0, 900, 5000], ids=["unknown", "understated", "honest"])
async def test_a_file_over_the_limit_is_left_nowhere(context: AppContext, guild: Guild, said: int) -> None:
    """Known at once where the platform says so, else found while it comes, and not read to its end."""
    source = Source(50)

    with pytest.raises(InvalidRequest, match=r"too large: .* MB; at most") as refusal:
        await _load(context, guild, source.offered(said))

    assert refusal.value.field == "file"
    assert source.fetched == (0 if said > LIMIT else 11)
    assert source.closed == (said <= LIMIT)
    assert await context.blobs.size() == 0


async def test_nothing_is_fetched_for_who_may_not_ask_or_asked_wrongly(context: AppContext, guild: Guild) -> None:
    """One who may not call the command cannot make us download."""
    source = Source(1)

    with pytest.raises(NotAllowed):
        await _load(context, guild, source.offered(), roles=(("brush", ("painters",)),))
    with pytest.raises(InvalidRequest, match="'hairy' is unknown"):
        await _load(context, guild, source.offered(), tip="hairy")

    assert source.fetched == 0


async def test_a_platform_that_does_not_give_it_out_is_named_beside_the_field(
    context: AppContext, guild: Guild
) -> None:
    """In the platform's own sentence; the half that came is gone."""
    with pytest.raises(InvalidRequest, match="The platform does not answer") as refusal:
        await _load(context, guild, Source(3, broken=True).offered())

    assert refusal.value.field == "file"
    assert await context.blobs.size() == 0


async def test_text_never_stands_for_a_file(context: AppContext, guild: Guild) -> None:
    """Anyone who could name a blob would have what another handed over."""
    key = await context.blobs.put(b"another's")

    with pytest.raises(InvalidRequest, match="attach it instead of writing"):
        await _load(context, guild, key)
