"""What Discord's refusal of a message means for its delivery."""

from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.discord.errors import DiscordRefusal, later_seconds, refusal_of


def _refused(status: HTTPStatus, code: int = 0) -> discord.HTTPException:
    response: Any = SimpleNamespace(status=status.value, reason=status.phrase)
    return discord.HTTPException(response, {"code": code, "message": "refused"})


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (_refused(HTTPStatus.NOT_FOUND, 10008), DiscordRefusal.NEXT_ROUTE),
        (_refused(HTTPStatus.FORBIDDEN), DiscordRefusal.NEXT_ROUTE),
        (_refused(HTTPStatus.BAD_REQUEST, 30046), DiscordRefusal.NEXT_ROUTE),
        (_refused(HTTPStatus.BAD_REQUEST, 40005), DiscordRefusal.SMALLER),
        (_refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE), DiscordRefusal.SMALLER),
        (_refused(HTTPStatus.BAD_REQUEST, 50035), DiscordRefusal.LEGACY),
        (_refused(HTTPStatus.BAD_GATEWAY), DiscordRefusal.LATER),
        (TimeoutError(), DiscordRefusal.LATER),
    ],
)
def test_a_refusal_says_what_to_do_next(error: Exception, meaning: DiscordRefusal) -> None:
    """By Discord's own code, else by the status; what is not Discord's answer may pass."""
    assert refusal_of(error, by_token=False) is meaning


def test_a_dead_token_closes_its_own_route_only() -> None:
    """The bot's own token is its owner's to mend, so everything waits for that."""
    unauthorized = _refused(HTTPStatus.UNAUTHORIZED)

    assert refusal_of(unauthorized, by_token=True) is DiscordRefusal.NEXT_ROUTE
    assert refusal_of(unauthorized, by_token=False) is DiscordRefusal.LATER
    assert later_seconds(unauthorized) > later_seconds(_refused(HTTPStatus.BAD_GATEWAY))


def test_discord_says_itself_how_long_to_wait() -> None:
    """Where it limits the rate."""
    assert later_seconds(discord.RateLimited(12.5)) == 12.5
