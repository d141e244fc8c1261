"""What Discord's refusals mean for a delivery: by their codes, else by their statuses, else by their kind."""

from typing import Final

import aiohttp
import discord

from bot.discord.error_codes import BY_CODE, BY_STATUS, DiscordRefusal

FAULTS: Final = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError)
"""What sending may raise; everything else is an error of ours."""

WAITING: Final = frozenset({DiscordRefusal.LATER, DiscordRefusal.TOKEN})
"""What passes by itself, or once the bot has a new token: nothing is lost until then."""


def refusal_of(error: BaseException, *, by_token: bool) -> DiscordRefusal:
    """What `error` means; a refused token of an interaction (`by_token`) closes that route only."""
    if not isinstance(error, discord.HTTPException) or error.status >= 500 or error.status == 429:
        return DiscordRefusal.LATER
    refusal = BY_STATUS.get(error.status, DiscordRefusal.PERMANENT)
    if error.code:  # zero is what a page without a code has, too
        refusal = BY_CODE.get(error.code, refusal)
    return DiscordRefusal.NEXT_ROUTE if by_token and refusal is DiscordRefusal.TOKEN else refusal


def later_seconds(error: BaseException) -> float:
    """When to try again after a refusal that may pass."""
    if isinstance(error, discord.RateLimited):
        return error.retry_after
    return 60.0 if refusal_of(error, by_token=False) is DiscordRefusal.TOKEN else 5.0


def reason_of(error: BaseException) -> str:
    """The refusal in a few words, for the log and the admins."""
    if isinstance(error, discord.HTTPException):
        return f"Discord's {error.code or error.status}"
    return type(error).__name__
