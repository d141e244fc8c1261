"""What Slack's errors mean for a message that is to be delivered, and what is said of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError, SlackTokenRotationError

from bot.assembly.platform_link import LoginRefused
from bot.slack.error_codes import BY_CODE, SlackRefusal
from handlers.messages.chat_platform import TryLater, Undeliverable
from pipeline.errors import UserError

_RETRY_SECONDS: Final = 10.0

FAULTS: Final = (SlackClientError, aiohttp.ClientError, TimeoutError, TryLater)
"""What a call may raise; everything else is an error of ours."""

WAITING: Final = frozenset({SlackRefusal.LATER, SlackRefusal.REVOKED})
"""What is no answer to the message: Slack is not well, or has taken our token back."""

_NOT_SHOWN: Final[Mapping[str | SlackRefusal, str]] = {
    "file_uploads_disabled": "This workspace takes no uploads; ask an admin for them. /history keeps the pictures.",
    "storage_limit_reached": "This workspace has no storage left; delete files there. /history keeps the pictures.",
    SlackRefusal.NO_FILES: "This workspace does not take these files; ask an admin. /history keeps the pictures.",
    SlackRefusal.FORBIDDEN: "Slack does not let Limner show the pictures; ask an admin. /history keeps them.",
}
NOT_TAKEN: Final = "Slack did not take the pictures; /history keeps them."

_ANSWERS: Final[Mapping[str | SlackRefusal, str]] = {
    "missing_scope": "Limner lacks a permission in this workspace; an admin can grant it by installing Limner again.",
    SlackRefusal.CLOSED: "Limner may not write here; type /invite @Limner, or ask in another channel.",
    SlackRefusal.NO_FILES: "This workspace does not take these files; ask an admin.",
    SlackRefusal.FILE_GONE: "Slack no longer has that file; upload it again.",
    SlackRefusal.REVOKED: "Slack no longer lets Limner into this workspace; ask an admin to install it again.",
    SlackRefusal.LATER: "Slack is busy at the moment; try again in a minute.",
    SlackRefusal.TOO_LATE: "Slack took too long to open the form; type the command again, or click again.",
    SlackRefusal.FORBIDDEN: "This workspace does not let Limner do that; ask an admin.",
}
BUSY: Final = _ANSWERS[SlackRefusal.LATER]
OUR_FAULT: Final = "Something went wrong on our side and is in the log; please try again."


def code_of(error: SlackApiError) -> str:
    """Slack's name for the error; a failing server may answer with a page instead."""
    answer = error.response.data
    return str((isinstance(answer, dict) and answer.get("error")) or "unknown_error")


def refusal_of(error: SlackApiError) -> SlackRefusal:
    """What the error means; a code that Slack's reference did not have is a request of ours that is wrong."""
    status = error.response.status_code
    if status == 429 or status >= 500:
        return SlackRefusal.LATER
    return BY_CODE.get(code_of(error), SlackRefusal.OURS)


def sentence_of(error: SlackApiError) -> str:
    """What to tell a member who asked for something."""
    by_refusal = _ANSWERS.get(refusal_of(error), OUR_FAULT)
    return _ANSWERS.get(code_of(error), by_refusal)


def not_shown_sentence(error: SlackApiError) -> str:
    """What to tell a member in place of their images."""
    by_refusal = _NOT_SHOWN.get(refusal_of(error), NOT_TAKEN)
    return _NOT_SHOWN.get(code_of(error), by_refusal)


def reason_of(error: Exception) -> str:
    """The error in a few words, for the log and the admins."""
    return f"Slack's {code_of(error)}" if isinstance(error, SlackApiError) else type(error).__name__


def join_error(error: Exception, token_refused: str) -> UserError:
    """Why Slack cannot be joined; `token_refused` is said, with Slack's `code`, where the token is to be replaced."""
    if not isinstance(error, SlackApiError):
        return UserError(
            f"Slack does not answer ({reason_of(error)}); check this machine's network and SLACK_API_BASE."
        )
    match refusal_of(error):
        case SlackRefusal.REVOKED | SlackRefusal.FORBIDDEN:
            return LoginRefused(token_refused.format(code=code_of(error)))
        case _:
            return UserError(f"Slack lets nobody in now ({reason_of(error)}); it is tried again.")


@contextmanager
def unless_gone() -> Iterator[None]:
    """Delete something in the block; what is no longer there is deleted."""
    try:
        yield
    except SlackApiError as error:
        if code_of(error) != "message_not_found" and refusal_of(error) is not SlackRefusal.FILE_GONE:
            raise


@contextmanager
def delivery_errors() -> Iterator[None]:
    """Turns errors of Slack and the network into TryLater or Undeliverable; our own pass unchanged."""
    try:
        yield
    except SlackTokenRotationError as error:
        raise Undeliverable(f"the token could not be renewed: {reason_of(error.api_error)}") from error
    except SlackApiError as error:
        if refusal_of(error) is SlackRefusal.REVOKED:
            raise Undeliverable(f"Limner was removed from the workspace ({reason_of(error)})") from error
        if refusal_of(error) is SlackRefusal.LATER:
            raise TryLater(_asked_for(error.response.headers), reason_of(error)) from error
        raise
    except (aiohttp.ClientError, TimeoutError, SlackClientError) as error:
        headers = error.headers if isinstance(error, aiohttp.ClientResponseError) else None
        raise TryLater(_asked_for(headers or {}), f"Slack does not answer: {type(error).__name__}") from error


def _asked_for(headers: Mapping[str, str]) -> float:
    """How long Slack asks to wait, in seconds; a usual while where it does not say."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else _RETRY_SECONDS
