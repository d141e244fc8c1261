"""LoRAs that are their owner's alone, and each guild's keys for the places that LoRA files come from."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    with op.batch_alter_table("loras") as batch:
        batch.add_column(sa.Column("scope", sa.String(64), nullable=False, server_default=""))
        batch.drop_constraint(op.f("uq_loras_guild_id_name"), type_="unique")
        batch.create_unique_constraint(op.f("uq_loras_guild_id_scope_name"), ["guild_id", "scope", "name"])
    op.create_table(
        "source_keys",
        sa.Column("guild_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["guild_id"], ["guilds.id"], name=op.f("fk_source_keys_guild_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("guild_id", "source", name=op.f("pk_source_keys")),
    )
