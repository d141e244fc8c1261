"""Which applications serve which guilds: a guild may have several bots, each of which comes and goes by itself."""

from sqlalchemy import select, update

from storage.database import Database
from storage.guilds.guilds import Guild, guild_of
from storage.platform import Platform
from storage.tables import connections, guilds


class Connections:
    """Applications by the ids that their platforms gave them; one that left is remembered with the time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def connect(self, guild_id: int, application_id: str) -> None:
        """Records that the application serves the guild, for the first time or again."""
        statement = self._database.insert(connections).values(guild_id=guild_id, application_id=application_id)
        statement = statement.on_conflict_do_update(
            index_elements=["guild_id", "application_id"], set_={"removed_at": None}
        )
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def disconnect(self, guild_id: int, application_id: str) -> None:
        """Records that the application no longer serves the guild; what others do is left as it is."""
        left = (
            connections.c.guild_id == guild_id,
            connections.c.application_id == application_id,
            connections.c.removed_at.is_(None),
        )
        async with self._database.write() as connection:
            removed_at = await self._database.clock.read(connection)
            await connection.execute(update(connections).where(*left).values(removed_at=removed_at))

    async def find(self, guild_id: int, application_id: str) -> Guild | None:
        """The guild of that id, or None where the application does not serve it."""
        query = _SERVED.where(guilds.c.id == guild_id, connections.c.application_id == application_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else guild_of(row)

    async def guilds(self, platform: Platform, application_id: str) -> tuple[Guild, ...]:
        """The platform's guilds that the application serves."""
        query = _SERVED.where(guilds.c.platform == platform, connections.c.application_id == application_id)
        async with self._database.read() as connection:
            return tuple(guild_of(row) for row in await connection.execute(query.order_by(guilds.c.id)))


_SERVED = select(guilds).join_from(guilds, connections).where(connections.c.removed_at.is_(None))
