"""The tests of a module are found by its path: those of bot/slack/modal.py in tests/bot/slack/test_modal.py."""

from pathlib import PurePosixPath
from typing import Final

import pytest

from tests.docs.pages import FILES, ROOT

MIRRORED: Final = ("bot", "handlers", "pipeline", "storage")


def mirrors(test: PurePosixPath, modules: frozenset[str]) -> bool:
    """Whether `test` is named after a module at the same path, and maybe an aspect of it."""
    words = test.stem.removeprefix("test_").split("_")
    folder = PurePosixPath(*test.parts[1:-1])
    names = ("_".join(words[:count]) for count in range(1, len(words) + 1))
    return any((folder / f"{name}.py").as_posix() in modules for name in names)


@pytest.mark.parametrize("folder", MIRRORED)
def test_every_test_stands_at_the_path_of_its_module(folder: str) -> None:
    """Tests that span modules stand in contracts, journeys or wire."""
    files = frozenset(path.relative_to(ROOT).as_posix() for path in FILES)
    tests = [path for path in map(PurePosixPath, sorted(files)) if path.is_relative_to(f"tests/{folder}")]
    strays = [str(test) for test in tests if test.match("test_*.py") and not mirrors(test, files)]

    assert tests
    assert strays == []


@pytest.mark.parametrize(
    ("test", "is_mirror"),
    [
        ("tests/bot/slack/test_modal.py", True),
        ("tests/bot/slack/test_modal_limits.py", True),
        ("tests/bot/discord/test_modals.py", False),
        ("tests/bot/test_modal.py", False),
    ],
)
def test_a_name_mirrors_a_module_of_its_folder_only(test: str, *, is_mirror: bool) -> None:
    """Whole words of the name count, and the same path below `tests`."""
    assert mirrors(PurePosixPath(test), frozenset({"bot/slack/modal.py"})) is is_mirror
