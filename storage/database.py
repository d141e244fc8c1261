"""The database: SQLite in a file, or a PostgreSQL server, by URL."""


class Database:
    """An open database, shared by all that store something; close it when done."""

    @classmethod
    async def open(cls, url: str) -> "Database":
        """Opens the database at `url`; raises StorageError when it cannot be reached or lacks migrations."""
        raise NotImplementedError

    async def close(self) -> None:
        """Closes every connection."""
        raise NotImplementedError

    async def size(self) -> int:
        """Bytes that the database takes."""
        raise NotImplementedError


async def migrate(url: str) -> None:
    """Brings the database at `url` to the newest schema, creating it where it is missing; raises StorageError."""
    raise NotImplementedError
