"""The ids of a result's messages fit into the text of one."""

from hypothesis import given
from hypothesis import strategies as st

from bot.discord.message_ids import posted_ids, posted_text


@given(st.lists(st.integers(1, 2**63 - 1).map(str), min_size=1, max_size=4))
def test_four_messages_are_remembered_in_the_room_of_one(message_ids: list[str]) -> None:
    """Whatever their ids; of more, the first ones."""
    text = posted_text(message_ids)

    assert len(text) <= 64
    assert posted_ids(text) == tuple(message_ids)
    assert len(posted_text(message_ids * 3)) <= 64
