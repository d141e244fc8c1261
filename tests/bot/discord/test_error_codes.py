"""Every error code of Discord's own list has a meaning here, and one only."""

import json

from bot.discord import error_codes
from bot.discord.error_codes import BY_CODE, BY_STATUS, DiscordRefusal
from tests.wire.discord.fetch_document import DOCUMENT


def test_every_code_that_discord_lists_has_one_meaning() -> None:
    """A code that a new version of the list brings is to be thought about."""
    listed = set(json.loads(DOCUMENT.read_text())["errors"].values())
    all_codes = [code for codes in error_codes._CODES.values() for code in codes]

    assert set(all_codes) == listed
    assert len(all_codes) == len(listed)
    assert set(error_codes._CODES) == set(DiscordRefusal)


def test_what_the_names_of_the_codes_say_is_what_they_mean() -> None:
    """Read from Discord's names, which another wrote: what is temporary or limits a rate passes, what asks for less."""
    errors: dict[str, int] = json.loads(DOCUMENT.read_text())["errors"]
    passing = {
        code
        for name, code in errors.items()
        if any(word in name for word in ("Temporarily", "RateLimit", "Overloaded", "NotYetAvailable", "TooFast"))
    }

    assert {code for code in passing if BY_CODE[code] is not DiscordRefusal.LATER} == set()
    assert BY_CODE[errors["RequestEntityTooLarge"]] is DiscordRefusal.SMALLER
    assert BY_CODE[errors["FileUploadedExceedsMaximumSize"]] is DiscordRefusal.SMALLER
    assert BY_CODE[errors["InteractionHasAlreadyBeenAcknowledged"]] is DiscordRefusal.ANSWERED
    assert BY_CODE[errors["Unauthorized"]] is DiscordRefusal.TOKEN
    assert BY_CODE[errors["CannotSendMessagesToThisUser"]] is DiscordRefusal.NEXT_ROUTE
    assert BY_CODE[errors["AccessToFileUploadsHasBeenLimitedForThisGuild"]] is DiscordRefusal.NEXT_ROUTE
    assert BY_CODE[errors["InvalidFileUploaded"]] is DiscordRefusal.PERMANENT


def test_a_status_that_refuses_a_message_leads_on() -> None:
    """Only what passes by itself is waited for."""
    waiting = {status for status, refusal in BY_STATUS.items() if refusal is DiscordRefusal.LATER}

    assert waiting == {408, 409, 425, 429}
