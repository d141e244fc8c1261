"""What a fake Slack remembers of its workspaces: people, channels, messages, files, the installed app's token."""

import itertools
import time
from dataclasses import dataclass, field
from typing import Any

_numbers = itertools.count(1)

BOT_SCOPES = frozenset(
    {
        "commands",
        "chat:write",
        "files:write",
        "files:read",
        "users:read",
        "usergroups:read",
        "im:write",
        "app_mentions:read",
    }
)


def new_ts() -> str:
    """A message's timestamp, which is also its id: unique within the process."""
    return f"{time.time():.0f}.{next(_numbers):06d}"


@dataclass(slots=True, kw_only=True)
class Person:
    """Someone in a workspace's channels: its member, or one of the workspace `home` in a shared channel."""

    id: str
    name: str
    is_admin: bool = False
    is_owner: bool = False
    home: str | None = None


@dataclass(slots=True, kw_only=True)
class Channel:
    """A conversation; `refusal` is the error that posting here answers; one that `refuses_files` takes words alone."""

    id: str
    name: str
    has_bot: bool = True
    refusal: str | None = None
    refuses_files: bool = False


@dataclass(slots=True, kw_only=True)
class PostedMessage:
    """A message as members see it now; `history` holds each state that it had, newest last."""

    ts: str
    channel: str
    text: str
    blocks: list[dict[str, Any]]
    thread_ts: str | None = None
    ephemeral_for: str | None = None
    history: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def buttons(self) -> dict[str, dict[str, Any]]:
        """The message's buttons by their labels."""
        elements = [e for block in self.blocks if block["type"] == "actions" for e in block["elements"]]
        return {element["text"]["text"]: element for element in elements}

    @property
    def images(self) -> list[str]:
        """The file ids of the images that the message shows."""
        return [block["slack_file"]["id"] for block in self.blocks if block["type"] == "image"]

    @property
    def words(self) -> str:
        """Every text in the message's blocks."""
        return "\n".join(_texts(self.blocks))


@dataclass(slots=True, kw_only=True)
class StoredFile:
    """An uploaded file; it is `ready` some looks at `files.info` after its upload was completed."""

    id: str
    name: str
    length: int
    alt_txt: str = ""
    data: bytes | None = None
    completed: bool = False
    looks_until_ready: int = 1
    is_external: bool = False
    mimetype: str = "image/png"

    @property
    def ready(self) -> bool:
        """Whether Slack has processed it."""
        return self.completed and self.looks_until_ready <= 0


@dataclass(slots=True, kw_only=True)
class Workspace:
    """A workspace with the app installed; `troubles` are the errors that the next calls of a method answer."""

    team_id: str
    name: str
    token: str
    bot_id: str
    bot_user: str
    enterprise_id: str | None = None
    org_wide: bool = False
    scopes: frozenset[str] = BOT_SCOPES
    refresh_token: str | None = None
    revoked: set[str] = field(default_factory=set)
    people: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    messages: list[PostedMessage] = field(default_factory=list)
    files: dict[str, StoredFile] = field(default_factory=dict)
    homes: dict[str, dict[str, Any]] = field(default_factory=dict)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    troubles: dict[str, list[str]] = field(default_factory=dict)
    processing_looks: int = 1
    home_views: int = 0

    def message(self, channel: str, ts: str) -> PostedMessage | None:
        """The message of that timestamp in a channel."""
        return next((m for m in self.messages if (m.channel, m.ts) == (channel, ts)), None)

    def in_channel(self, channel: str) -> list[PostedMessage]:
        """The messages that everyone in a channel sees."""
        return [m for m in self.messages if m.channel == channel and m.ephemeral_for is None]

    def direct(self, user: str) -> list[PostedMessage]:
        """The messages between the bot and a member."""
        return self.in_channel(direct_channel(user))

    def private(self, user: str) -> list[PostedMessage]:
        """What only this member saw in channels."""
        return [m for m in self.messages if m.ephemeral_for == user]


def direct_channel(user: str) -> str:
    """The id of the conversation between the bot and a member."""
    return f"D{user}"


def new_workspace(number: int = 1, **changes: Any) -> Workspace:
    """A workspace with an admin, a member, a channel with the bot in it and one without."""
    team = f"T{number:03d}"
    workspace = Workspace(
        team_id=team, name=f"workspace-{number}", token=f"xoxb-{number}-first", bot_id=f"B{number:03d}",
        bot_user=f"UB{number:03d}",
    )  # fmt: skip
    for person in (
        Person(id="UADA", name="ada"),
        Person(id="UBOB", name="bob"),
        Person(id="UEVE", name="eve", is_admin=True),
    ):
        workspace.people[person.id] = person
    for channel in (Channel(id="CGEN", name="general"), Channel(id="CPRIV", name="secret", has_bot=False)):
        workspace.channels[channel.id] = channel
    for name, value in changes.items():
        setattr(workspace, name, value)
    return workspace


def _texts(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["text"]] if isinstance(part.get("text"), str) else []
        return own + [text for value in part.values() for text in _texts(value)]
    if isinstance(part, list):
        return [text for item in part for text in _texts(item)]
    return []
