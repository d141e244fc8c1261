"""Pictures that are not for everybody, and whether an answer goes where such may be seen."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("pictures", sa.Column("mature", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("replies", sa.Column("age_restricted", sa.Boolean(), nullable=False, server_default=sa.false()))
