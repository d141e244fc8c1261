"""What members do in a fake workspace; every payload has the shape that Slack documents."""

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from tests.wire.slack.doors import Door
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.payloads import payload as payload_of
from tests.wire.slack.workspace import PostedMessage, StoredFile, Workspace, new_ts

_PATIENCE_SECONDS: Final = 20.0
_APP: Final = "A111"

Found = TypeVar("Found")

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acked:
    """An acknowledgement: what it carried and how long it took."""

    payload: dict[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    """A member of a workspace who types, clicks and submits.

    One whose `home` is another workspace is in a channel that this one shares with it.
    """

    slack: FakeSlack
    workspace: Workspace
    door: Door
    id: str = "UADA"
    home: str | None = None

    async def command(self, command: str, text: str = "", channel: str = "CGEN", **changes: Any) -> Acked:
        """Type a slash command."""
        team = self.workspace
        values = {
            "team_id": team.team_id, "team_domain": team.name, "channel_id": channel,
            "channel_name": team.channels[channel].name if channel in team.channels else "directmessage",
            "user_id": self.id, "user_name": team.people[self.id].name, "command": command, "text": text,
            "response_url": self._response_url(channel), "trigger_id": self.slack.triggers.issue(),
        }  # fmt: skip
        payload = payload_of("slash_command", **{**values, **changes})
        payload |= {"enterprise_id": team.enterprise_id or "", "is_enterprise_install": str(team.org_wide).lower()}
        if team.enterprise_id is None:
            del payload["enterprise_id"], payload["enterprise_name"]
        return await self._send("slash_commands", payload)

    async def click(self, message: PostedMessage, label: str) -> Acked:
        """Press a button of a message."""
        team = self.workspace
        button = message.buttons[label]
        action = {**button, "block_id": "b", "action_ts": new_ts()}
        payload = payload_of(
            "block_actions",
            **self._who(), channel={"id": message.channel, "name": "general"}, actions=[action],
            container={
                "type": "message", "message_ts": message.ts, "channel_id": message.channel,
                "is_ephemeral": message.ephemeral_for is not None,
                **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
            },
            response_url=self._response_url(message.channel, message.ts),
            message={
                "type": "message", "ts": message.ts, "text": message.text, "blocks": message.blocks,
                "team": team.enterprise_id if team.org_wide and message.channel.startswith("D") else team.team_id,
                "app_id": _APP, "bot_id": team.bot_id,
            },
            api_app_id=_APP,
        )  # fmt: skip
        return await self._send("interactive", payload)

    def owns(self, data: bytes, name: str = "picture.png", **more: Any) -> dict[str, Any]:
        """A file of this person's, as a form's entry tells of it."""
        id_ = f"FOWN{next(_numbers)}"
        file = StoredFile(id=id_, name=name, length=len(data), data=data, completed=True, looks_until_ready=0, **more)
        self.workspace.files[id_] = file
        return {"id": id_, "name": name, "size": len(data)}

    async def submit(self, view: dict[str, Any], **values: Any) -> Acked:
        """Fill fields of a modal, by their labels' first words, and press its button."""
        state: dict[str, dict[str, Any]] = {}
        for block in view["blocks"]:
            if block["type"] != "input":
                continue
            name = block["label"]["text"].split()[0].casefold()
            state[block["block_id"]] = {block["element"]["action_id"]: _state(block["element"], values.pop(name, None))}
        assert not values, f"the form has no field {list(values)}"
        payload = payload_of(
            "view_submission", **self._who(),
            view={**payload_of("view_submission")["view"], **self._opened(view), "state": {"values": state}},
        )  # fmt: skip
        return await self._send("interactive", payload)

    async def suggest(self, view: dict[str, Any], block_id: str, action_id: str, typed: str) -> Acked:
        """Type into a select that asks the app for its options."""
        payload = payload_of(
            "block_suggestion", **self._who(trigger=False), view=self._opened(view), value=typed,
            block_id=block_id, action_id=action_id, container={"type": "view", "view_id": view["id"]},
        )  # fmt: skip
        return await self._send("interactive", payload)

    async def use_shortcut(self, callback_id: str, message: dict[str, Any], channel: str = "CGEN") -> Acked:
        """Choose a message shortcut."""
        payload = payload_of(
            "message_action", **self._who(), callback_id=callback_id, message=message,
            channel={"id": channel, "name": "general"}, message_ts=message["ts"],
            response_url=self._response_url(channel),
        )  # fmt: skip
        return await self._send("interactive", payload)

    async def mention(self, text: str, channel: str = "CGEN", thread_ts: str | None = None) -> Acked:
        """Write to the bot in a channel or a thread."""
        event = {
            "type": "app_mention", "user": self.id, "text": f"<@{self.workspace.bot_user}> {text}", "ts": new_ts(),
            "channel": channel, "event_ts": new_ts(), **({"thread_ts": thread_ts} if thread_ts else {}),
        }  # fmt: skip
        return await self.event(event)

    async def open_home(self) -> Acked:
        """Look at the app's Home tab."""
        return await self.event({"type": "app_home_opened", "user": self.id, "channel": f"D{self.id}", "tab": "home"})

    async def event(self, event: dict[str, Any], *, event_id: str = "", retry: int = 0) -> Acked:
        """Let something happen that the app subscribed to."""
        authorization = {
            "enterprise_id": self.workspace.enterprise_id, "team_id": self.workspace.team_id,
            "user_id": self.workspace.bot_user, "is_bot": True, "is_enterprise_install": self.workspace.org_wide,
        }  # fmt: skip
        payload = payload_of(
            "event_callback", team_id=self.workspace.team_id,
            enterprise_id=self.workspace.enterprise_id, event=event, authorizations=[authorization],
            event_id=event_id or f"Ev{next(_numbers)}", event_time=int(time.time()),
        )  # fmt: skip
        return await self._send("events_api", payload, retry=retry)

    async def sees(self, what: Callable[[Workspace], Found | None], seconds: float = _PATIENCE_SECONDS) -> Found:
        """What `what` finds in the workspace, as soon as it finds something."""
        async with asyncio.timeout(seconds), self.slack.changed:
            while not (found := what(self.workspace)):
                await self.slack.changed.wait()
            return found

    async def _send(self, kind: str, payload: dict[str, Any], *, retry: int = 0) -> Acked:
        start = time.monotonic()
        answer = await self.door.send(kind, payload, retry=retry)
        return Acked(payload=answer, seconds=time.monotonic() - start)

    def _opened(self, view: dict[str, Any]) -> dict[str, Any]:
        """A view as Slack tells of it: with the workspace of the member, and the one that installed the app."""
        team = self.workspace.team_id
        return {**view, "team_id": self.home or team, "app_installed_team_id": team}

    def _who(self, *, trigger: bool = True) -> dict[str, Any]:
        team, name = self.workspace, self.workspace.people[self.id].name
        who: dict[str, Any] = {
            "user": {"id": self.id, "username": name, "name": name, "team_id": self.home or team.team_id},
            "team": {"id": self.home or team.team_id, "domain": self.home or team.name},
        }  # fmt: skip
        if team.enterprise_id:
            who["team"] |= {"enterprise_id": team.enterprise_id, "enterprise_name": "Org"}
            who |= {"enterprise": {"id": team.enterprise_id, "name": "Org"}, "is_enterprise_install": team.org_wide}
        return who | ({"trigger_id": self.slack.triggers.issue()} if trigger else {})

    def _response_url(self, channel: str, message_ts: str | None = None) -> str:
        number = self.slack.response_urls.issue(self.workspace.team_id, channel, self.id, message_ts)
        return f"{self.slack.origin}/response/{number}"


def _state(element: dict[str, Any], given: Any) -> dict[str, Any]:
    """How Slack reports an element's value: what was given, or what the form came with."""
    kind = element["type"]
    match kind:
        case "static_select" | "external_select":
            option = {"text": {"type": "plain_text", "text": given}, "value": given} if given else None
            return {"type": kind, "selected_option": option or element.get("initial_option")}
        case "multi_static_select" | "multi_external_select":
            return {"type": kind, "selected_options": element.get("initial_options", [])}
        case "checkboxes":
            chosen = element["options"] if given else element.get("initial_options", [])
            return {"type": kind, "selected_options": chosen}
        case "file_input":
            return {"type": kind, "files": given or []}
        case _:
            return {"type": kind, "value": given if given is not None else element.get("initial_value")}
