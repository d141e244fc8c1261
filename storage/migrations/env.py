"""Runs migrations on the connection that `storage.database.migrate` passes, or on the one of `-x url=...`."""

from alembic import context
from sqlalchemy import Connection, create_engine, make_url

from storage.tables import metadata


def run(connection: Connection) -> None:
    """Runs what the Alembic command asks on `connection`, which the caller commits."""
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    url = make_url(context.get_x_argument(as_dictionary=True).get("url", "sqlite:///limner.db"))
    with create_engine(url.set(drivername=url.get_backend_name())).begin() as own:
        run(own)
