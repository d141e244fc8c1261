"""The tables, private to this folder: rows leave it as dataclasses only.

Times are those of the database's clock (`storage/clock.py`), in seconds close to Unix seconds; only those of `audit`,
`guilds.created_at`, `loras` and `installations`, which nothing measures by, are the wall clock's.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    false,
    text,
    true,
)

from storage.column_types import PlainText, RowId

FIRST_REVISION: Final = "1004"
"""Where migrations begin; data of a lower number is from before the first release, and nothing reads it."""

SCHEMA_REVISION: Final = "1004"
"""The newest migration, so that opening a database need not import Alembic; a test compares them."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", RowId, primary_key=True)


def _owned_by(table: str) -> Column[int]:
    return Column(f"{table}_id", ForeignKey(f"{table}s.id", ondelete="CASCADE"), nullable=False)


def _partial(name: str, *columns: Any, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


def _required(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


guilds = Table(
    "guilds",
    metadata,
    _id(),
    _required("platform", String(16)),
    _required("external_id", String(64)),
    _required("name", PlainText),
    _required("settings", PlainText),
    _required("created_at", Double),
    UniqueConstraint("platform", "external_id"),
    sqlite_autoincrement=True,
)

connections = Table(
    "connections",
    metadata,
    Column("guild_id", ForeignKey("guilds.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("application_id", String(64), primary_key=True),
    Column("removed_at", Double),
)

loras = Table(
    "loras",
    metadata,
    _id(),
    _owned_by("guild"),
    _required("name", String(64)),
    _required("owner_id", String(64)),
    _required("base_family", String(32)),
    _required("created_at", Double),
    _required("key", String(64)),
    _required("scale", Double),
    _required("size", BigInteger),
    _required("trigger_words", PlainText),
    _required("metadata", PlainText),
    # Empty for a LoRA of the whole guild, else its owner's id: names are unique within a scope.
    Column("scope", String(64), nullable=False, server_default=""),
    Column("subject", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("guild_id", "scope", "name"),
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    _id(),
    _owned_by("guild"),
    _required("member_id", String(64)),
    _required("member_name", PlainText),
    _required("kind", String(32)),
    _required("payload", PlainText),
    _required("state", String(16)),
    _required("attempt", Integer),
    _required("max_attempts", Integer),
    _required("restarts", Integer),
    _required("cancel_requested", Boolean),
    _required("step", Integer),
    _required("steps", Integer),
    Column("preview", LargeBinary),
    Column("error", PlainText),
    _required("cost_key", PlainText),
    _required("cost_units", Double),
    _required("estimated_seconds", Double),
    Column("device_seconds", Double),
    Column("worker", PlainText),
    _required("token", Integer),
    Column("heartbeat_at", Double),
    _required("created_at", Double),
    _required("run_after", Double),
    Column("started_at", Double),
    Column("finished_at", Double),
    # Guild and member in one value that only one index has, so that a planner without statistics cannot choose another.
    Column("share_key", String(96), nullable=False, server_default=""),
    # Of a suspect: how many jobs its device may hold while it is there, itself included.
    Column("together", Integer),
    # The step at which its worker fell silent, the furthest of several.
    Column("reached", Integer),
    CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"),
    _partial("ix_jobs_queued", "share_key", "run_after", "id", where="state = 'queued'"),
    _partial("ix_jobs_quick", "run_after", "id", where="state = 'queued' AND kind = 'draw map'"),
    _partial("ix_jobs_suspect", "together", "run_after", "id", where="state = 'queued' AND together IS NOT NULL"),
    _partial("ix_jobs_running", "heartbeat_at", where="state = 'running'"),
    _partial("ix_jobs_cost", "cost_key", "finished_at", where="state = 'done'"),
    _partial("ix_jobs_finished", "finished_at", where="finished_at IS NOT NULL"),
    Index("ix_jobs_of_guild", "guild_id", "id"),
    Index("ix_jobs_of_member", "guild_id", "member_id", "id"),
    sqlite_autoincrement=True,
)

job_blobs = Table(
    "job_blobs",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("blob", String(64), primary_key=True),
    # Whether the job still needs the bytes; which they were is known for as long as the job.
    Column("needed", Boolean, nullable=False, server_default=true()),
    Index(None, "blob"),
)

job_loras = Table(
    "job_loras",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("lora_key", String(96), primary_key=True),
    Index(None, "lora_key"),
)

images = Table(
    "images",
    metadata,
    _id(),
    _owned_by("job"),
    _required("position", Integer),
    _required("blob", String(64)),
    _required("width", Integer),
    _required("height", Integer),
    _required("seed", BigInteger),
    _required("parameters", PlainText),
    Column("note", PlainText, nullable=False, server_default=""),
    _required("created_at", Double),
    Column("nsfw", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("job_id", "position"),
    Index(None, "blob"),
    sqlite_autoincrement=True,
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _required("data", LargeBinary),
)

replies = Table(
    "replies",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    _required("platform", String(16)),
    _required("channel_id", String(64)),
    _required("user_id", String(64)),
    Column("thread_id", String(64)),
    Column("message_id", String(64)),
    _required("private", Boolean),
    _required("locale", String(16)),
    Column("tenant", String(64), nullable=False, server_default=""),
    Column("age_restricted", Boolean, nullable=False, server_default=false()),
    Column("application_id", String(64), nullable=False, server_default=""),
    Column("received_id", RowId),
    _required("nonce", String(32)),
    _required("state", String(16)),
    _required("tries", Integer),
    Column("poster", PlainText),
    Column("due_at", Double),
    Column("posted_message_id", String(64)),
    Column("kept_because", PlainText),
    Column("settled_at", Double),
    CheckConstraint("state IN ('open', 'posted', 'kept')", name="state"),
    _partial("ix_replies_open", "platform", "due_at", "job_id", where="state = 'open'"),
)

audit = Table(
    "audit",
    metadata,
    _id(),
    _owned_by("guild"),
    _required("at", Double),
    _required("actor", PlainText),
    _required("action", String(64)),
    _required("detail", PlainText),
    Index(None, "guild_id", "id"),
    sqlite_autoincrement=True,
)

guild_shares = Table(
    "guild_shares",
    metadata,
    Column("guild_id", ForeignKey("guilds.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    _required("waiting", Integer),
    _required("waiting_seconds", Double),
    _required("score", Double),
    CheckConstraint("waiting >= 0", name="waiting"),
    _partial("ix_guild_shares_waiting", "score", "guild_id", where="waiting > 0"),
)

member_shares = Table(
    "member_shares",
    metadata,
    Column("share_key", String(96), primary_key=True),
    _owned_by("guild"),
    _required("member_id", String(64)),
    _required("waiting", Integer),
    _required("waiting_seconds", Double),
    _required("score", Double),
    CheckConstraint("waiting >= 0", name="waiting"),
    _partial("ix_member_shares_waiting", "guild_id", "score", "share_key", where="waiting > 0"),
)

deduplication = Table(
    "deduplication",
    metadata,
    Column("key", String(160), primary_key=True),
    # What of the inbox took the key, and takes it again where its process was stopped.
    Column("received_id", RowId),
    _required("expires_at", Double),
)

inbox = Table(
    "inbox",
    metadata,
    _id(),
    _required("platform", String(16)),
    _required("key", String(160)),
    Column("application_id", String(64), nullable=False, server_default=""),
    # What the platform sent, for as long as it is not answered.
    Column("encrypted", PlainText),
    # The same, for as long as it takes to show the member alone what came of it.
    Column("kept", PlainText),
    _required("attempt", Integer),
    _required("received_at", Double),
    _required("held_at", Double),
    UniqueConstraint("platform", "key"),
    _partial("ix_inbox_open", "platform", "held_at", where="encrypted IS NOT NULL"),
    Index(None, "received_at"),
    sqlite_autoincrement=True,
)

saved_calls = Table(
    "saved_calls",
    metadata,
    _id(),
    _owned_by("guild"),
    _required("member_id", String(64)),
    _required("command", String(32)),
    _required("arguments", PlainText),
    Column("file", PlainText),
    _required("created_at", Double),
    Index("ix_saved_calls_of_member", "guild_id", "member_id"),
    Index(None, "created_at"),
    sqlite_autoincrement=True,
)

key_values = Table("key_values", metadata, Column("name", String(64), primary_key=True), _required("text", PlainText))

installations = Table(
    "installations",
    metadata,
    Column("platform", String(16), primary_key=True),
    Column("application_id", String(64), primary_key=True),
    Column("tenant", String(64), primary_key=True),
    _required("encrypted", PlainText),
    _required("saved_at", Double),
)

source_keys = Table(
    "source_keys",
    metadata,
    Column("guild_id", ForeignKey("guilds.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("source", String(32), primary_key=True),
    _required("encrypted", PlainText),
)
