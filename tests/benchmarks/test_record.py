"""A record holds what several runs of a benchmark said, and pages quote it."""

import re
from pathlib import Path

import pytest

from benchmarks.record import RECORDS, markdown, merge, quote, tables, without_paths
from tests.docs.pages import ROOT

_RUN = "a word\n| work | ratio |\n|---|---|\n| fox | {} |\n\nmore\n| held | MiB |\n|---|---|\n| all | {} |\n"
_QUOTED = re.compile(r"<!-- record: ([\w-]+) -->\n((?:\|.*\n|\n(?=\|))*)")
_PAGES = sorted((ROOT / "docs").rglob("*.md"))


def test_runs_become_one_table_of_medians_and_ranges() -> None:
    """What was the same in all runs stays as it is."""
    first, second = merge([tables(_RUN.format(*figures)) for figures in (("219x", 7), ("42.0x", 7), ("100x", 7))])

    assert markdown(first).splitlines()[2] == "| fox | 100x (42.0 to 219) |"
    assert markdown(second).splitlines()[2] == "| all | 7 |"


def test_an_even_number_of_runs_has_its_median_between_two() -> None:
    """The mean of the two in the middle."""
    (table, _) = merge([tables(_RUN.format(figure, 7)) for figure in ("1 ms", "2 ms", "4 ms", "9 ms")])

    assert table[2] == ["fox", "3 ms (1 to 9)"]


@pytest.mark.parametrize("other", [_RUN.replace("fox", "dog").format(1, 2), "| work | ratio |\n|---|---|\n"])
def test_runs_that_measured_different_things_are_no_record(other: str) -> None:
    """A median over unlike lines would be a figure of nothing."""
    with pytest.raises(ValueError, match=r"differ|shorter"):
        merge([tables(_RUN.format(1, 2)), tables(other)])


def test_a_page_shows_the_newest_record(tmp_path: Path) -> None:
    """Its old table goes, whatever stands around it stays."""
    folder = tmp_path / "2026-12-24-start"
    folder.mkdir()
    (folder / "table.md").write_text("| new |\n|---|\n")
    page = tmp_path / "page.md"
    page.write_text("before\n\n<!-- record: 2026-11-23-start -->\n| old |\n|---|\n| 7 |\n\nafter\n")

    quote(folder, [page])

    assert page.read_text() == "before\n\n<!-- record: 2026-12-24-start -->\n| new |\n|---|\n\nafter\n"


def test_a_log_names_no_folder_of_the_machine() -> None:
    """Neither of the checkout nor of an installed package."""
    assert without_paths(f"{ROOT}/pipeline/errors.py {Path.home()}/x") == "pipeline/errors.py x"


def test_every_record_is_whole() -> None:
    """With the command, the machine, the log and the table."""
    folders = [folder for folder in RECORDS.iterdir() if folder.is_dir()]
    needed = ("command.txt", "machine.txt", "log.txt", "table.md")

    assert folders
    assert [str(folder) for folder in folders for name in needed if not (folder / name).read_text().strip()] == []


def test_every_table_that_a_page_quotes_is_the_record_s() -> None:
    """Nobody types a figure."""
    quoted = [(page.name, *found) for page in _PAGES for found in _QUOTED.findall(page.read_text())]

    assert quoted
    assert [
        (page, name)
        for page, name, table in quoted
        if table.strip() != (RECORDS / name / "table.md").read_text().strip()
    ] == []


def test_performance_quotes_records_only() -> None:
    """Every table of the page stands in a record."""
    page = (ROOT / "docs" / "performance.md").read_text()

    assert tables(_QUOTED.sub("", page)) == []
