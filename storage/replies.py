"""Where an answer goes, in values that outlive every token of a platform."""

from dataclasses import dataclass
from enum import StrEnum


class Platform(StrEnum):
    """Where members write; the value is stored and is part of a guild's identity."""

    DISCORD = "discord"
    SLACK = "slack"
    TERMINAL = "terminal"
    WEB = "web"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyAddress:
    """Where the answer to a request is posted; `message_id` is the status message, once there is one."""

    platform: Platform
    channel_id: str
    user_id: str
    thread_id: str | None = None
    message_id: str | None = None
    private: bool = False
    locale: str = "en"
