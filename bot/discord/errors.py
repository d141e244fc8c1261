"""What Discord's refusals mean for a delivery: try another route, a smaller message, embeds, or later."""

from enum import Enum
from typing import Final

import aiohttp
import discord


class DiscordRefusal(Enum):
    """What to do next."""

    NEXT_ROUTE = "next route"
    SMALLER = "smaller"
    LEGACY = "legacy"
    LATER = "later"


_CLOSED: Final = {
    10003,  # unknown channel
    10008,  # unknown message
    10015,  # unknown webhook: the token of an interaction is over
    10062,  # unknown interaction
    30046,  # too many edits of an old message
    40094,  # too many follow-ups of a user-installed app
    50001,  # no access
    50007,  # no direct messages to this member
    50013,  # no permission
    50027,  # the token of an interaction is over
    50083,  # archived thread
    160005,  # locked thread
    200000,  # the server's AutoMod
    240000,  # a link that Discord considers harmful
}
_TOO_LARGE: Final = {40005, 50045}
_WRONG_FORM: Final = 50035

FAULTS: Final = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError)
"""What sending may raise; everything else is an error of ours."""


def refusal_of(error: BaseException, *, by_token: bool) -> DiscordRefusal:
    """What `error` means; through an interaction's token (`by_token`) a 401 closes that route only."""
    if not isinstance(error, discord.HTTPException):
        return DiscordRefusal.LATER
    if error.code in _TOO_LARGE or error.status == 413:
        return DiscordRefusal.SMALLER
    if error.code == _WRONG_FORM:
        return DiscordRefusal.LEGACY
    if error.code in _CLOSED or error.status in {403, 404} or (by_token and error.status == 401):
        return DiscordRefusal.NEXT_ROUTE
    return DiscordRefusal.LATER


def later_seconds(error: BaseException) -> float:
    """When to try again after a refusal that may pass."""
    if isinstance(error, discord.RateLimited):
        return error.retry_after
    if isinstance(error, discord.HTTPException) and error.status == 401:
        return 60.0  # the bot's own token is wrong or revoked, which only its owner can mend
    return 5.0
