"""The script that kills real servers, with a few kills; with many it is a part of `make soak`."""

import random
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.chaos import Chaos, points
from benchmarks.chaos_lives import ANY_MOMENT, Plan, Starter
from benchmarks.chaos_process import request_name
from benchmarks.chaos_round import Found, Place
from tests.tiers import SERVER


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    """One process after another on a SQLite file; six kills."""
    place = Place(database="SQLite", processes=1, share=1.0)
    async with Starter.running() as starter:
        chaos = Chaos(seed=1, patience=60)
        found = await chaos.run(place, 6, tmp_path, starter, "")

    assert chaos.killed.total() >= 6
    assert found.results > 0
    assert found.holds, "\n".join(chaos.troubles)


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("database", "processes"), [("SQLite", 1), ("PostgreSQL", 2), ("PostgreSQL", 4)])
async def test_many_kills_lose_nothing(
    database: str, processes: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """By one hundred and twenty kills in all."""
    server = str(request.getfixturevalue(SERVER)) if database == "PostgreSQL" else ""
    async with Starter.running() as starter:
        chaos = Chaos(seed=2, patience=60)
        found = await chaos.run(Place(database=database, processes=processes, share=1.0), 40, tmp_path, starter, server)

    assert chaos.killed.total() >= 40
    assert found.holds, "\n".join(chaos.troubles)


def test_what_is_lost_or_there_twice_does_not_hold() -> None:
    """Each by itself; a message left behind is counted, and no platform could have prevented it."""
    assert Found(asked=9, acknowledged=7, results=5, left_behind=1).holds
    for fault in ("lost", "twice", "silent", "fell", "orphans", "leaked"):
        assert not (Found(asked=9) + Found(**{fault: 1})).holds


def test_the_rarest_point_has_the_next_turn() -> None:
    """A point that was reached late is not left out; some kills come at any moment."""
    plan = Plan(dice=random.Random(1))  # noqa: S311 - it chooses kills
    assert plan.next_point() == ""
    plan.learn(["before commit: a", "after commit: a"])
    for _ in range(20):
        plan.next_point()
    plan.learn(["before post: b"])

    chosen = Counter(plan.next_point() for _ in range(40))

    assert chosen["before post: b"] > chosen["after commit: a"]
    assert chosen["after commit: a"]
    assert chosen[""]


def test_kills_are_counted_by_kind_and_side() -> None:
    """Each named point belongs to one line; any other kill to none."""
    killed = Counter({"before commit: a": 2, "before commit: b": 1, "after post: PATCH answer": 4, ANY_MOMENT: 9})

    assert "| commit | 3 | 0 |" in points(killed)
    assert "| post | 0 | 4 |" in points(killed)
    assert "| blob | 0 | 0 |" in points(killed)


@pytest.mark.parametrize(
    ("method", "path", "with_files", "name"),
    [
        ("POST", "/api/v10/interactions/1/token/callback", False, "acknowledgement: Discord"),
        ("PATCH", "/api/v10/webhooks/1/token/messages/@original", True, "upload: PATCH answer"),
        ("POST", "/api/v10/channels/1/messages", False, "post: POST message"),
        ("POST", "/api/chat.update", False, "post: chat.update"),
        ("POST", "/upload/T001/F000001", False, "upload: the bytes"),
        ("POST", "/response/7", False, "post: response_url"),
        ("GET", "/api/v10/channels/1/messages/2", False, None),
        ("POST", "/api/users.info", False, None),
    ],
)
def test_requests_have_names_by_what_members_see_of_them(
    method: str, path: str, with_files: bool, name: str | None
) -> None:
    """What nobody sees is no point to die at."""
    assert request_name(method, path, with_files=with_files) == name
