"""Installations, and the tenant that a reply is posted for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "installations",
        sa.Column("platform", sa.String(length=16), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "tenant", name=op.f("pk_installations")),
    )
    op.add_column("replies", sa.Column("tenant", sa.String(length=64), nullable=False, server_default=""))
