"""The tables know the newest migration."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

import storage
from storage.tables import SCHEMA_REVISION

INI = Path(storage.__file__).with_name("alembic.ini")


def test_revision_in_the_code_is_the_newest_migration() -> None:
    """The revision that opening a database compares with is the one that the migrations end at."""
    assert ScriptDirectory.from_config(Config(str(INI))).get_current_head() == SCHEMA_REVISION
