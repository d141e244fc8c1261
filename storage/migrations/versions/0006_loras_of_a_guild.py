"""What a guild's library says of each LoRA, and which canonical file is its own."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # No row can be there yet: nothing has written one.
    with op.batch_alter_table("loras") as batch:
        batch.drop_index(op.f("ix_loras_blob"))
        batch.drop_column("blob")
        batch.add_column(sa.Column("key", sa.String(64), nullable=False))
        batch.add_column(sa.Column("scale", sa.Double(), nullable=False))
        batch.add_column(sa.Column("size", sa.BigInteger(), nullable=False))
        batch.add_column(sa.Column("trigger_words", sa.Text(), nullable=False))
        batch.add_column(sa.Column("story", sa.Text(), nullable=False))
