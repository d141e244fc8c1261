"""The chat platforms."""

from enum import StrEnum


class Platform(StrEnum):
    """Where members write; the value is stored and is part of a guild's identity."""

    DISCORD = "discord"
    SLACK = "slack"
    TERMINAL = "terminal"
    WEB = "web"
