"""Subjects are LoRAs; their table was never written to."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.drop_table("subjects")
