"""Small texts survive by name, on every database."""

from storage.database import Database
from storage.queue.key_values import KeyValues


async def test_the_newest_text_of_a_name_counts(database: Database) -> None:
    """Another name's text is not touched; an unknown name has none."""
    await KeyValues(database).put("commands", "old")
    await KeyValues(database).put("workspaces", "T1 T2")
    await KeyValues(database).put("commands", "new ✓")

    assert await KeyValues(database).get("commands") == "new ✓"
    assert await KeyValues(database).get("workspaces") == "T1 T2"
    assert await KeyValues(database).get("unknown") is None


async def test_a_dropped_text_is_gone(database: Database) -> None:
    """Others stay, and dropping what is not there is no error."""
    for name in ("commands", "workspaces"):
        await KeyValues(database).put(name, "text")

    await KeyValues(database).drop("commands")
    await KeyValues(database).drop("commands")

    assert await KeyValues(database).get("commands") is None
    assert await KeyValues(database).get("workspaces") == "text"
