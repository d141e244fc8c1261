"""Jobs that a device does between two steps are found beside the fair order."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_QUICK = sa.text("state = 'queued' AND kind = 'draw map'")


def upgrade() -> None:
    op.create_index("ix_jobs_quick", "jobs", ["run_after", "id"], sqlite_where=_QUICK, postgresql_where=_QUICK)
