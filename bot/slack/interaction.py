"""Who asks from where: the same few facts from every kind of payload that Slack sends."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bot.slack.application import application_of
from bot.slack.modal import SlackModalState
from bot.slack.tenant import Tenant
from pipeline.errors import UserError
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackInteraction:
    """One interaction; `trigger_id` opens a form within 3 seconds, `response_url` answers for 30 minutes.

    `application_id` is the Slack app that it came to, empty where Slack does not say.
    """

    tenant: Tenant
    team_name: str
    user_id: str
    user_name: str
    channel_id: str | None
    thread_id: str | None = None
    trigger_id: str = ""
    response_url: str = ""
    application_id: str = ""

    @classmethod
    def of(cls, body: Payload) -> "SlackInteraction":
        """The interaction of any payload."""
        if body.get("type") == "event_callback":
            return cls.of_event(body)
        return cls.of_command(body) if "command" in body else cls.of_interactivity(body)

    @classmethod
    def of_command(cls, body: Payload) -> "SlackInteraction":
        """A slash command, which Slack does not allow in a thread."""
        is_org = str(body.get("is_enterprise_install", "")).casefold() == "true"
        return cls(
            tenant=Tenant(team_id=body["team_id"], org_id=body.get("enterprise_id") if is_org else None),
            team_name=body.get("team_domain", body["team_id"]),
            user_id=body["user_id"],
            user_name=body.get("user_name", body["user_id"]),
            channel_id=body["channel_id"],
            trigger_id=body.get("trigger_id", ""),
            response_url=body.get("response_url", ""),
            application_id=application_of(body),
        )

    @classmethod
    def of_interactivity(cls, body: Payload) -> "SlackInteraction":
        """A click, a shortcut or a form, with the channel and thread of its message where there is one."""
        user, container = body["user"], body.get("container") or {}
        message, team, tenant = body.get("message") or {}, body.get("team") or {}, tenant_of_interactivity(body)
        is_foreign = team.get("id", tenant.team_id) != tenant.team_id
        return cls(
            tenant=tenant,
            team_name=tenant.team_id if is_foreign else team.get("domain", tenant.team_id),
            user_id=user["id"],
            user_name=user.get("username") or user.get("name") or user["id"],
            channel_id=(body.get("channel") or {}).get("id") or container.get("channel_id"),
            thread_id=container.get("thread_ts") or message.get("thread_ts"),
            trigger_id=body.get("trigger_id", ""),
            response_url=body.get("response_url", ""),
            application_id=application_of(body),
        )

    @classmethod
    def of_event(cls, body: Payload) -> "SlackInteraction":
        """A mention, or an opened Home tab; what a workflow writes has no user."""
        event = body["event"]
        return cls(
            tenant=tenant_of_event(body),
            team_name=body.get("team_id") or "",
            user_id=event.get("user", ""),
            user_name=event.get("user", ""),
            channel_id=event.get("channel"),
            thread_id=event.get("thread_ts"),
            application_id=application_of(body),
        )

    @property
    def is_direct(self) -> bool:
        """Whether it happened in direct messages with us."""
        return (self.channel_id or "").startswith("D")

    def form_state(self, command: str, call_id: int | None = None) -> SlackModalState:
        """What a form that is opened here must know when it comes back."""
        return SlackModalState(
            command=command, call_id=call_id, channel_id=self.channel_id, thread_id=self.thread_id,
            tenant=self.tenant.text,
        )  # fmt: skip

    @property
    def reply(self) -> ReplyAddress:
        """Where the reply goes: into the channel and the thread, or to the member alone where there is no channel."""
        return ReplyAddress(
            platform=Platform.SLACK,
            channel_id=self.channel_id or self.user_id,
            user_id=self.user_id,
            thread_id=self.thread_id,
            private=self.channel_id is None,
            tenant=self.tenant.text,
            application_id=self.application_id,
        )


def tenant_of_event(body: Payload) -> Tenant:
    """The tenant whose installation gets an event: in shared channels not always the workspace where it happened."""
    authorizations = body.get("authorizations") or [{}]
    own = authorizations[0]
    team_id = own.get("team_id") or body.get("team_id") or ""
    return Tenant(team_id=team_id, org_id=own.get("enterprise_id") if own.get("is_enterprise_install") else None)


def tenant_of_interactivity(body: Payload) -> Tenant:
    """The tenant that installed us where a click or a form came from.

    In a shared channel the member may be of another workspace, which Slack names as the payload's team: a form of ours
    carries the tenant that it was opened for, and Slack adds the workspace that installed us to the view.
    """
    view = body.get("view") or {}
    with suppress(UserError):  # a form of another version carries none, and is refused later
        if view.get("private_metadata") and (text := SlackModalState.parse(view["private_metadata"]).tenant):
            return Tenant.parse(text)
    team, message = body.get("team") or {}, body.get("message") or {}
    is_ours = bool(message.get("app_id")) and message.get("app_id") == body.get("api_app_id")
    posted_by = message.get("team", "") if is_ours else ""
    own_team = team.get("id") or body["user"].get("team_id", "")
    # What an organisation's app posts may be the organisation's, which is no workspace.
    team_id = view.get("app_installed_team_id") or (posted_by if posted_by.startswith("T") else own_team)
    is_org = str(body.get("is_enterprise_install", "")).casefold() == "true"
    org_id = (body.get("enterprise") or {}).get("id") or team.get("enterprise_id")
    return Tenant(team_id=team_id, org_id=org_id if is_org else None)
