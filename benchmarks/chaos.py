"""What members see of a `limner serve` that is killed again and again: `python -m benchmarks.chaos` prints a table.

    python -m benchmarks.chaos [--kills 1000] [--only "PostgreSQL, 2"] [--seed 1] [--patience 60]

Real processes, one, two or four on a database, serve the tests' fakes of Discord and Slack on loopback, to which
members type, click, and send forms without a pause. Each process is ended by SIGKILL, and begun again: before or after
a commit, a blob, an acknowledgement, an upload or a post, each kind in its turn, or at any moment. After some fifty
kills all come to rest, and what each member sees is counted. Must: nothing lost, nothing twice, nobody left without an
answer, no child that outlives its parent by ten seconds, no blob that nothing needs.

Most processes have a device and an importer that compute nothing, since their start costs least; one line has real
ones. What a process that died had leased to post is free again after 15 s, not 60, and Slack's limits of calls are
lifted.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.chaos_lives import Plan, Starter
from benchmarks.chaos_postgres import postgres
from benchmarks.chaos_round import Found, Place, Round

KILLS_OF_A_ROUND: Final = 50
_MOST_TROUBLES: Final = 200

PLACES: Final = (
    Place(database="SQLite", processes=1, share=0.28),
    Place(database="SQLite", processes=1, share=0.02, engine=True),
    Place(database="PostgreSQL", processes=1, share=0.2),
    Place(database="PostgreSQL", processes=2, share=0.25),
    Place(database="PostgreSQL", processes=4, share=0.25),
)
KINDS: Final = ("commit", "blob", "acknowledgement", "upload", "post")

HEADER: Final = (
    "| database, processes | kills | asked | acknowledged | results | lost | twice | left without an answer | "
    "left behind | fell | orphans | leaked blobs | holds |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)
POINTS_HEADER: Final = "| killed | before | after |\n|---|---|---|"


def row(name: str, kills: int, found: Found) -> str:
    """The line of the table."""
    return (
        f"| {name} | {kills} | {found.asked} | {found.acknowledged} | {found.results} | {found.lost} | {found.twice} "
        f"| {found.silent} | {found.left_behind} | {found.fell} | {found.orphans} | {found.leaked} "
        f"| {'yes' if found.holds else 'no'} |"
    )


def points(killed: Counter[str]) -> str:
    """How many kills there were at each kind of point."""
    lines = [POINTS_HEADER]
    for kind in KINDS:
        before, after = (
            sum(count for point, count in killed.items() if point.startswith(f"{side} {kind}"))
            for side in ("before", "after")
        )
        lines.append(f"| {kind} | {before} | {after} |")
    return "\n".join(lines)


@dataclass(slots=True)
class Chaos:
    """Every round so far."""

    seed: int
    patience: float
    killed: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)

    async def run(self, place: Place, kills: int, folder: Path, starter: Starter, server: str) -> Found:
        """So many kills at a place, in rounds of some fifty, each on an empty database."""
        plan = Plan(dice=random.Random(f"{self.seed} {place.name}"))  # noqa: S311 - it chooses kills
        found, number = Found(), 0
        while (left := kills - plan.killed.total()) > 0:
            number += 1
            own = folder / f"{place.name.replace(', ', '-').replace(' ', '-')}-{number}"
            own.mkdir()
            round_ = Round(
                place=place, kills=min(left, KILLS_OF_A_ROUND), plan=plan, folder=own, starter=starter, server=server,
                patience=self.patience,
            )  # fmt: skip
            found += await round_.run()
            self.troubles += [f"{place.name}, round {number}: {trouble}" for trouble in round_.troubles]
        self.killed += plan.killed
        return found


async def main(places: Sequence[Place], kills: int, seed: int, patience: float, keep: Path | None = None) -> bool:
    """Run the places in turn and print the tables; whether all holds."""
    began, chaos, total, held = time.monotonic(), Chaos(seed, patience), Found(), True
    shares = sum(place.share for place in places)
    async with AsyncExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        starter = await stack.enter_async_context(Starter.running())
        server = stack.enter_context(postgres()) if any(place.database == "PostgreSQL" for place in places) else ""
        print(HEADER, flush=True)
        for place in places:
            before = chaos.killed.total()
            found = await chaos.run(place, max(1, round(kills * place.share / shares)), folder, starter, server)
            total, held = total + found, held and found.holds
            print(row(place.name, chaos.killed.total() - before, found), flush=True)
        print(row("all", chaos.killed.total(), total))
    print(f"\n{points(chaos.killed)}\n\n{time.monotonic() - began:.0f} s in all, seed {seed}\n")
    for point, count in sorted(chaos.killed.items()):
        print(f"{count} killed {point}")
    print("\n".join(["", *chaos.troubles[:_MOST_TROUBLES]]))
    return held


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000, help="in all")
    parser.add_argument("--only", action="append", choices=[place.name for place in PLACES], help="several times")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=60.0, help="seconds until what is open counts as left")
    parser.add_argument("--keep", type=Path, help="a folder in which data and logs stay")
    given = parser.parse_args()
    chosen = [place for place in PLACES if place.name in (given.only or [place.name])]
    asyncio.run(main(chosen, given.kills, given.seed, given.patience, given.keep))
