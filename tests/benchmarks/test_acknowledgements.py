"""What the benchmark of acknowledgements says of its waits."""

import asyncio

from benchmarks.acknowledgements import row, send_evenly


async def test_what_was_never_acknowledged_is_told() -> None:
    """A command whose acknowledgement failed counts as none."""

    async def send(number: int) -> float:
        await asyncio.sleep(0)
        if number == 3:
            raise TimeoutError
        return 0.01 * number

    waits = await send_evenly(send, 10, 0.01)

    assert len(waits) == 9
    assert "| 1 | < 1000 ms | no |" in row("Slack", "SQLite", waits, 10)


def test_the_slowest_hundredth_decides() -> None:
    """One of two hundred may take longer, three may not."""
    quick = [0.1] * 200

    assert row("Discord", "PostgreSQL", [*quick, 2.0], 201).endswith("| yes |")
    assert row("Discord", "PostgreSQL", [*quick, 2.0, 2.0, 2.0], 203).endswith("| no |")
