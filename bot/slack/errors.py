"""What Slack's errors mean for a message that is to be delivered."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError, SlackTokenRotationError

from handlers.messages.chat_platform import TryLater, Undeliverable

_RETRY_SECONDS: Final = 10.0


class SlackRefusal(Enum):
    """What to do about an error: try another route, post without images, give up, try later, or report it."""

    CLOSED = "this conversation is closed to us"
    NO_FILES = "files are not taken here"
    REVOKED = "we are not installed any more"
    NOT_READY = "a file is not ready yet"
    UNEXPECTED = "our own mistake"


_REFUSALS: Final = {
    SlackRefusal.CLOSED: (
        "not_in_channel", "channel_not_found", "is_archived", "is_inactive", "message_not_found",
        "cant_update_message", "edit_window_closed", "restricted_action", "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel", "restricted_action_thread_locked",
        "restricted_action_non_threadable_channel", "cannot_reply_to_message", "thread_not_found",
        "messages_tab_disabled", "user_disabled", "user_not_found", "user_not_visible", "cannot_dm_bot",
        "posting_to_channel_denied", "user_not_in_channel",
    ),
    SlackRefusal.NO_FILES: (
        "file_uploads_disabled", "storage_limit_reached", "file_upload_size_restricted", "file_type_not_allowed",
    ),
    SlackRefusal.REVOKED: (
        "token_revoked", "token_expired", "account_inactive", "invalid_auth", "not_authed", "team_access_not_granted",
        "no_permission", "org_login_required",
    ),
    SlackRefusal.NOT_READY: ("invalid_blocks",),
}  # fmt: skip

_BY_CODE: Final = {code: refusal for refusal, codes in _REFUSALS.items() for code in codes}

_SENTENCES: Final = {
    "file_uploads_disabled": "This workspace takes no uploads; ask an admin for them. /history keeps the pictures.",
    "storage_limit_reached": "This workspace has no storage left; delete files there. /history keeps the pictures.",
}
_NO_FILES: Final = "This workspace does not take these files; ask an admin. /history keeps the pictures."


def code_of(error: SlackApiError) -> str:
    """Slack's name for the error; a failing server may answer with a page instead."""
    answer = error.response.data
    return str((isinstance(answer, dict) and answer.get("error")) or "unknown_error")


def refusal_of(error: SlackApiError) -> SlackRefusal:
    """What the error means."""
    return _BY_CODE.get(code_of(error), SlackRefusal.UNEXPECTED)


def no_files_sentence(error: SlackApiError) -> str:
    """What to tell a member where files are not accepted."""
    return _SENTENCES.get(code_of(error), _NO_FILES)


@contextmanager
def delivery_errors() -> Iterator[None]:
    """Turns errors of Slack and the network into TryLater or Undeliverable; our own pass unchanged."""
    try:
        yield
    except SlackTokenRotationError as error:
        raise Undeliverable(f"the token could not be renewed: {code_of(error.api_error)}") from error
    except SlackApiError as error:
        if refusal_of(error) is SlackRefusal.REVOKED:
            raise Undeliverable(f"Limner was removed from the workspace ({code_of(error)})") from error
        if (wait := _wait(error)) is not None:
            raise TryLater(wait, code_of(error)) from error
        raise
    except (aiohttp.ClientError, TimeoutError, SlackClientError) as error:
        headers = error.headers if isinstance(error, aiohttp.ClientResponseError) else None
        raise TryLater(_asked_for(headers or {}), f"Slack does not answer: {type(error).__name__}") from error


def _asked_for(headers: Mapping[str, str]) -> float:
    """How long Slack asks to wait, in seconds; a usual while where it does not say."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else _RETRY_SECONDS


def _wait(error: SlackApiError) -> float | None:
    """How long to wait where the error passes by itself."""
    status = error.response.status_code
    if status == 429:
        return _asked_for(error.response.headers)
    passing = status >= 500 or code_of(error) in {"internal_error", "fatal_error", "service_unavailable", "ratelimited"}
    return _RETRY_SECONDS if passing or refusal_of(error) is SlackRefusal.NOT_READY else None
