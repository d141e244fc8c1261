"""What Discord's refusal of a message means for its delivery."""

from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.discord.error_codes import DiscordRefusal
from bot.discord.errors import WAITING, later_seconds, reason_of, refusal_of


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
        (_refused(HTTPStatus.BAD_REQUEST, 50046), DiscordRefusal.PERMANENT),
        (_refused(HTTPStatus.BAD_REQUEST, 99_999_999), DiscordRefusal.NEXT_ROUTE),
        (_refused(HTTPStatus.UNAUTHORIZED), DiscordRefusal.TOKEN),
        (_refused(HTTPStatus.BAD_REQUEST, 40060), DiscordRefusal.ANSWERED),
        (_refused(HTTPStatus.TOO_MANY_REQUESTS, 20028), DiscordRefusal.LATER),
        (_refused(HTTPStatus.BAD_GATEWAY), DiscordRefusal.LATER),
        (_refused(HTTPStatus.SERVICE_UNAVAILABLE, 10008), DiscordRefusal.LATER),
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
    assert refusal_of(unauthorized, by_token=False) in WAITING
    assert later_seconds(unauthorized) > later_seconds(_refused(HTTPStatus.BAD_GATEWAY))


def test_discord_says_itself_how_long_to_wait() -> None:
    """Where it limits the rate."""
    assert later_seconds(discord.RateLimited(12.5)) == 12.5


def test_the_reason_is_discords_own_number() -> None:
    """By which its pages are searched; a failure that is not Discord's has a name."""
    assert reason_of(_refused(HTTPStatus.FORBIDDEN, 50013)) == "Discord's 50013"
    assert reason_of(_refused(HTTPStatus.FORBIDDEN)) == "Discord's 403"
    assert reason_of(TimeoutError()) == "TimeoutError"
