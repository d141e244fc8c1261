"""/imagine on Discord, from the command to the pictures."""

from tests.bot.discord.conftest import World, labels, words


async def test_a_prompt_becomes_a_message_with_its_pictures(world: World) -> None:
    """One message a job, edited in place: waiting, then the pictures with their buttons."""
    result = await world.ada.slash(world.channel, "imagine", prompt="red fox", count=2)
    await world.show()
    assert "red fox" in words(world.last)
    assert "Next" in words(world.last)
    assert labels(world.last) == ["Cancel"]

    await world.finish(await world.claim())

    assert not result.ephemeral
    assert len(world.channel.history()) == 1
    assert [file.description for file in world.last.attachments] == ["red fox", "red fox"]
    assert labels(world.last) == [
        "Vary 1", "Vary 2", "Subtle 1", "Subtle 2", "Again", "Edit", "Info", "Save", "Delete",
    ]  # fmt: skip
    assert "pocket · 128×128 · seed 42 · 3.1 s" in words(world.last)
