"""Which guilds are served."""

import pytest

from handlers.context.allowed_guilds import AllowedGuilds
from pipeline.errors import UserError
from storage.platform import Platform


@pytest.mark.parametrize(
    ("listed", "platform", "external_id", "organisation"),
    [
        ("", Platform.DISCORD, "1", None),
        (" , ", Platform.SLACK, "T1", None),
        ("discord:1", Platform.DISCORD, "1", None),
        ("slack:T2, Discord: 1", Platform.DISCORD, "1", None),
        ("slack:t1", Platform.SLACK, "T1", None),
        ("slack:E1", Platform.SLACK, "T1", "E1"),
        ("discord:dm-5", Platform.DISCORD, "dm-5", None),
        ("discord:1", Platform.TERMINAL, "local", None),
    ],
)
def test_who_is_on_the_list_is_served(
    listed: str, platform: Platform, external_id: str, organisation: str | None
) -> None:
    """So is everyone without a list, and the terminal always."""
    AllowedGuilds.parse(listed).check(platform, external_id, organisation=organisation)


@pytest.mark.parametrize(
    ("listed", "platform", "external_id", "organisation"),
    [
        ("discord:1", Platform.DISCORD, "2", None),
        ("discord:1", Platform.SLACK, "1", None),
        ("discord:12", Platform.DISCORD, "1", None),
        ("slack:T1", Platform.SLACK, "T2", "E1"),
        ("slack:E1", Platform.SLACK, "", None),
        ("discord:1", Platform.DISCORD, "dm-1", None),
    ],
)
def test_who_is_not_is_told_whom_to_ask(
    listed: str, platform: Platform, external_id: str, organisation: str | None
) -> None:
    """With what has to be written into the setting."""
    with pytest.raises(
        UserError, match=rf"ask the person who runs it to add {platform}:{external_id} to LIMNER_GUILDS"
    ):
        AllowedGuilds.parse(listed).check(platform, external_id, organisation=organisation)


@pytest.mark.parametrize("text", ["123", "discord", "discord:", "irc:5", "terminal:local", "discord:1;slack:T1"])
def test_a_list_that_cannot_be_read_stops_the_start(text: str) -> None:
    """Better than a server that is open to all by mistake; a second colon belongs to the id and matches nothing."""
    if text.count(":") == 2:
        assert AllowedGuilds.parse(text).ids
        return
    with pytest.raises(UserError, match="LIMNER_GUILDS"):
        AllowedGuilds.parse(text)
