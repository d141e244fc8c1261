"""A LoRA that a training of a subject left says so."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("loras", sa.Column("subject", sa.Boolean(), nullable=False, server_default=sa.false()))
    # What a training wrote of it; a style's words end in "style", a subject's in what it is.
    op.execute(
        "UPDATE loras SET subject = TRUE WHERE story LIKE 'Trained here for %' AND trigger_words NOT LIKE '% style'"
    )
