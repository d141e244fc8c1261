"""Lanes of one column: a claim's conditions are those of one index."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("lane", sa.String(length=96), nullable=False, server_default=""))
    op.execute("UPDATE jobs SET lane = CAST(guild_id AS TEXT) || '/' || member_id")
    op.drop_index("ix_jobs_queued_by_member", "jobs")
    op.drop_index("ix_jobs_queued_by_guild", "jobs")
    op.create_index(
        "ix_jobs_queued",
        "jobs",
        ["lane", "run_after", "id"],
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.rename_table("member_lanes", "old_member_lanes")
    op.drop_index("ix_member_lanes_waiting", "old_member_lanes")
    if op.get_bind().dialect.name == "postgresql":
        # Names of constraints are shared by all tables there.
        op.execute("ALTER TABLE old_member_lanes RENAME CONSTRAINT pk_member_lanes TO pk_old_member_lanes")
    op.create_table(
        "member_lanes",
        sa.Column("lane", sa.String(length=96), nullable=False),
        sa.Column("guild_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("member_id", sa.String(length=64), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("waiting_seconds", sa.Double(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.CheckConstraint("waiting >= 0", name=op.f("ck_member_lanes_waiting")),
        sa.ForeignKeyConstraint(["guild_id"], ["guilds.id"], name=op.f("fk_member_lanes_guild_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("lane", name=op.f("pk_member_lanes")),
    )
    op.execute(
        "INSERT INTO member_lanes (lane, guild_id, member_id, waiting, waiting_seconds, score) "
        "SELECT CAST(guild_id AS TEXT) || '/' || member_id, guild_id, member_id, waiting, waiting_seconds, score "
        "FROM old_member_lanes"
    )
    op.drop_table("old_member_lanes")
    op.create_index(
        "ix_member_lanes_waiting",
        "member_lanes",
        ["guild_id", "score", "lane"],
        sqlite_where=sa.text("waiting > 0"),
        postgresql_where=sa.text("waiting > 0"),
    )
