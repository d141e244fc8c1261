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
