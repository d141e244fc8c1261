"""What a platform gave us when somebody installed us there: texts that are encrypted before they come here."""

from sqlalchemy import ColumnElement, and_, delete, select

from storage.database import Database
from storage.platform import Platform
from storage.tables import installations


class Installations:
    """Encrypted texts by tenant, the platform's id of a workspace or organisation.

    `application_id` says whose they are: a tenant may have installed several of our applications.
    """

    def __init__(self, database: Database, application_id: str) -> None:
        self._database = database
        self._application_id = application_id

    async def save(self, platform: Platform, tenant: str, encrypted: str) -> None:
        """Stores the text of `tenant` in place of the one that was there."""
        key = {"platform": platform, "application_id": self._application_id, "tenant": tenant}
        values = {"encrypted": encrypted, "saved_at": self._database.clock.wall()}
        statement = self._database.insert(installations).values(**key, **values)
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=values)
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def find(self, platform: Platform, tenant: str) -> str | None:
        """The text of `tenant`, or None."""
        query = select(installations.c.encrypted).where(self._ours(platform), installations.c.tenant == tenant)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def tenants(self, platform: Platform) -> tuple[str, ...]:
        """Everyone who has installed us on `platform`."""
        query = select(installations.c.tenant).where(self._ours(platform))
        async with self._database.read() as connection:
            return tuple((await connection.scalars(query.order_by(installations.c.tenant))).all())

    async def delete(self, platform: Platform, tenant: str) -> None:
        """Forgets the text of `tenant`."""
        this = self._ours(platform), installations.c.tenant == tenant
        async with self._database.write() as connection:
            await connection.execute(delete(installations).where(*this))

    def _ours(self, platform: Platform) -> ColumnElement[bool]:
        return and_(installations.c.platform == platform, installations.c.application_id == self._application_id)
