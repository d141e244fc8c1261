"""Files on Discord's servers: fetched from there alone, within the limit."""

import pytest

from tests.bot.discord.conftest import World, words


async def _load(brush_world: World, data: bytes) -> str:
    result = await brush_world.ada.slash(
        brush_world.channel, "brush load", name="soft --tip flat", file=("soft.png", data)
    )
    assert result.response is not None
    assert result.ephemeral
    return words(result.response)


@pytest.mark.usefixtures("simulated_files")
async def test_a_file_is_in_the_store_when_the_handler_is_called(brush_world: World) -> None:
    """What the member attached, byte for byte, with the flags that were typed behind the name."""
    said = await _load(brush_world, b"a brush \xde\xad\xbe\xef")

    assert "soft is soft.png of 12 bytes, deadbeef at its end" in said
    assert await brush_world.context.blobs.size() == 12


@pytest.mark.usefixtures("simulated_files")
async def test_a_file_that_is_too_large_is_not_fetched(brush_world: World) -> None:
    """Discord says how large it is; the limit is the installation's."""
    said = await _load(brush_world, bytes(brush_world.context.max_upload_bytes + 2**20))

    assert "too large: 2.0 MB; at most 1 MB" in said
    assert await brush_world.context.blobs.size() == 0


async def test_a_file_that_lies_elsewhere_is_not_fetched(brush_world: World) -> None:
    """Only Discord's own file servers are asked, whatever a payload says."""
    assert "does not lie with Discord" in await _load(brush_world, b"a brush")
    assert await brush_world.context.blobs.size() == 0
