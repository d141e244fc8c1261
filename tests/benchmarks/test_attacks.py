"""The script that attacks a real server, with one attack and at a small scale."""

import pytest

from benchmarks.attack_kinds import prepare
from benchmarks.attacks import MOST_MEMORY_MB, Arena, Impact


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_large_images_cost_the_server_no_memory_and_no_answer() -> None:
    """A neighbour is answered while three are opened; the server's own memory is as it was."""
    prepare()
    async with Arena.open(draws=False) as arena:
        before = await arena.watch("none", 1.5)
        during = await arena.watch("images", 3.0, scale=1 / 8)

    assert before.answers
    assert during.answers
    assert during.silent == 0
    assert during.memory_mb < MOST_MEMORY_MB
    assert during.memory_mb < before.memory_mb + 50


def test_an_attack_that_takes_too_much_of_anything_does_not_hold() -> None:
    """Each limit by itself; a neighbour who is not answered is worse than one who is answered late."""

    def impact(memory_mb: float = 150, lag: float = 0.1, answer: float = 0.1, silent: int = 0) -> Impact:
        return Impact(name="x", memory_mb=memory_mb, lag=lag, answers=(answer,) * 20, images=(1.0,), silent=silent)

    before = impact()

    assert impact(399, 0.49, 0.149).holds(before)
    assert not impact(memory_mb=400).holds(before)
    assert not impact(lag=0.5).holds(before)
    assert not impact(answer=0.16).holds(before)
    assert not impact(silent=1).holds(before)
    assert "| 1.50 |" in impact(answer=0.15).row(before)
