"""The tables of commands and of job kinds."""

from collections import Counter

from handlers.registry import COMMANDS, JOBS


def test_each_kind_of_job_has_one_row() -> None:
    assert max(Counter(spec.kind for spec in JOBS.rows).values()) == 1


def test_no_two_commands_have_one_name() -> None:
    assert [name for name, count in Counter(command.name for command in COMMANDS).items() if count > 1] == []
