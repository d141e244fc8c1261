"""What a member looks for in a workspace: a finished image, a private answer, an open form."""

from collections.abc import Callable
from typing import Any

from tests.wire.slack.workspace import PostedMessage, Workspace


def finished(workspace: Workspace, channel: str = "CGEN") -> PostedMessage | None:
    """The newest message of a channel that shows images."""
    return next((message for message in reversed(workspace.in_channel(channel)) if message.images), None)


def private_answer(user: str = "UADA") -> Callable[[Workspace], PostedMessage | None]:
    """The newest message in a channel that only this member sees."""
    return lambda workspace: next(reversed(workspace.private(user)), None)


def opened(workspace: Workspace) -> dict[str, Any] | None:
    """The newest form."""
    return next(reversed(workspace.views.values()), None)
