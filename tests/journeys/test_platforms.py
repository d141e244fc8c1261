"""One journey on every platform, with the same assertions: the core behaves alike wherever members are."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from pipeline.images.metadata import read
from tests.journeys.places import Place, at_terminal, in_slack, on_discord


@pytest.fixture(params=[at_terminal, in_slack, on_discord], ids=["terminal", "slack", "discord"])
async def place(request: pytest.FixtureRequest, tmp_path: Path, empty_sqlite: Path) -> AsyncIterator[Place]:
    enter: Callable[[Path, Path], AbstractAsyncContextManager[Place]] = request.param
    async with enter(tmp_path, empty_sqlite) as somewhere:
        yield somewhere


async def test_a_member_paints_asks_again_and_looks_back(place: Place) -> None:
    """Two images by their seeds, all there is to know of them, two more, and the history of both."""
    await place.type("/imagine red fox, it's snowing --seed 7 --n 2 --ar 16:9")
    first = [read(data).made_from for data in await place.images(2)]
    assert [(made.prompt, made.seed) for made in first] == [("red fox, it's snowing", 7), ("red fox, it's snowing", 8)]
    assert (first[0].width, first[0].height) == (176, 96)

    await place.press("Info")
    info = await place.reads("How job 1 was made")
    assert "red fox, it's snowing" in info
    assert "--seed 7" in info

    await place.press("Again")
    again = [read(data).made_from for data in (await place.images(4))[2:]]
    assert {made.prompt for made in again} == {"red fox, it's snowing"}
    assert {made.seed for made in again}.isdisjoint({7, 8})

    await place.type("/history snowing")
    history = await place.reads("Your pictures")
    assert "1: red fox, it's snowing" in history
    assert "2: red fox, it's snowing" in history


async def test_a_mistake_is_answered_with_what_to_do(place: Place) -> None:
    """The same sentence everywhere, in the names that commands have there."""
    await place.type("/imagine red fox --sede 7")
    await place.reads("/imagine has no --sede; did you mean --seed?")
    await place.type("/imagine red fox --n 99")
    await place.reads("count is 99; use 1 to")
    await place.type("/cancel")
    await place.reads("Nothing of yours is waiting or rendering.")
    await place.type("/cancel 12")
    await place.reads("There is no job 12 here")


async def test_what_an_admin_decides_holds_at_once(place: Place) -> None:
    """The setting is told, obeyed and written into the log."""
    await place.type("/settings --max-steps 5")
    await place.reads("Most steps: 5")
    await place.type("/imagine owl --steps 9")
    await place.reads("this server allows up to 5")
    await place.type("/settings log")
    await place.reads("max_steps: 50 → 5")


async def test_what_is_kept_of_a_member_can_be_deleted(place: Place) -> None:
    """At once, and without a trace in the history."""
    await place.type("/imagine red fox --steps 2")
    await place.images(1)
    await place.type("/privacy delete")
    await place.reads("Delete all 1 of your jobs, their pictures and your private LoRAs")
    await place.press("Delete everything")
    await place.reads("Deleted: 1 jobs")
    await place.type("/history")
    await place.reads("You have asked for nothing here yet.")
