"""A saved call may hold where a file lies that was chosen in the chat."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("saved_calls", sa.Column("file", sa.Text()))
