"""docs/decisions/README.md is the index of all decisions."""

import re
from datetime import date
from typing import Final

from tests.docs.pages import ROOT

FOLDER: Final = ROOT / "docs" / "decisions"
_ROW: Final = re.compile(r"^\| (\S+) \|.*?\]\(([\w-]+\.md)\)", re.MULTILINE)
ROWS: Final = _ROW.findall((FOLDER / "README.md").read_text())


def test_every_decision_is_in_the_index_once() -> None:
    """One that is not listed is not found by who asks why."""
    pages = {path.name for path in FOLDER.glob("*.md")} - {"README.md"}

    assert sorted(name for _, name in ROWS) == sorted(pages)


def test_decisions_are_listed_by_their_day() -> None:
    """The days are dates, the oldest first."""
    days = [date.fromisoformat(day) for day, _ in ROWS]

    assert days == sorted(days)
