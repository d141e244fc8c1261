"""The Web API methods of the fake Slack: each takes a workspace and a call's arguments and answers or refuses."""

import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.wire.slack.block_judge import message_complaints, view_complaints
from tests.wire.slack.workspace import Channel, PostedMessage, StoredFile, Workspace, direct_channel, new_ts

if TYPE_CHECKING:
    from tests.wire.slack.fake_slack import FakeSlack

_numbers = itertools.count(1)


class Refused(Exception):
    """The method answers `ok: false` with this error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a method, as the server understood it."""

    slack: "FakeSlack"
    workspace: Workspace
    method: str
    arguments: dict[str, Any]

    def get(self, name: str) -> Any:
        """An argument; lists and objects may come as JSON in a form."""
        value = self.arguments.get(name)
        if isinstance(value, str) and value[:1] in {"[", "{"} and name in {"blocks", "view", "files", "metadata"}:
            return json.loads(value)
        return value

    def judge(self, complaints: list[str], error: str) -> None:
        """Note what is wrong and refuse."""
        if complaints:
            self.slack.violations += [f"{self.method}: {complaint}" for complaint in complaints]
            raise Refused(error)


Answer = dict[str, Any]
Handler = Callable[[Call], Awaitable[Answer]]


async def _auth_test(call: Call) -> Answer:
    workspace = call.workspace
    return {
        "url": f"https://{workspace.name}.slack.com/", "team": workspace.name, "user": "limner",
        "team_id": workspace.team_id, "user_id": workspace.bot_user, "bot_id": workspace.bot_id,
        "is_enterprise_install": workspace.org_wide, "enterprise_id": workspace.enterprise_id,
    }  # fmt: skip


async def _auth_revoke(call: Call) -> Answer:
    call.workspace.revoked.add(call.workspace.token)
    return {"revoked": True}


async def _post_message(call: Call) -> Answer:
    channel = _open_channel(call)
    message = PostedMessage(
        ts=new_ts(),
        channel=channel.id,
        text=call.get("text") or "",
        blocks=call.get("blocks") or [],
        thread_ts=call.get("thread_ts"),
    )
    call.judge(message_complaints(message.text, message.blocks), "invalid_blocks")
    _check_images(call, message.blocks)
    call.workspace.messages.append(message)
    return {"channel": channel.id, "ts": message.ts, "message": {"text": message.text, "ts": message.ts}}


async def _update(call: Call) -> Answer:
    message = call.workspace.message(call.get("channel"), call.get("ts"))
    if message is None:
        raise Refused("message_not_found")
    if ("text" in call.arguments) != ("blocks" in call.arguments):
        call.judge(["text and blocks must be sent together"], "no_text")
    channel = call.workspace.channels.get(message.channel)
    if channel is not None and channel.refusal == "is_archived":
        raise Refused("is_inactive")
    text, blocks = call.get("text") or "", call.get("blocks") or []
    call.judge(message_complaints(text, blocks), "invalid_blocks")
    _check_images(call, blocks)
    message.history.append(message.words)
    message.text, message.blocks = text, blocks
    return {"channel": message.channel, "ts": message.ts, "text": text, "message": {"text": text}}


async def _post_ephemeral(call: Call) -> Answer:
    channel = _open_channel(call)
    message = PostedMessage(
        ts=new_ts(),
        channel=channel.id,
        text=call.get("text") or "",
        blocks=call.get("blocks") or [],
        thread_ts=call.get("thread_ts"),
        ephemeral_for=call.get("user"),
    )
    call.judge(message_complaints(message.text, message.blocks), "invalid_blocks")
    call.workspace.messages.append(message)
    return {"message_ts": message.ts}


async def _open_conversation(call: Call) -> Answer:
    user = call.get("users")
    if user not in call.workspace.people:
        raise Refused("user_not_found")
    channel = direct_channel(user)
    call.workspace.channels.setdefault(channel, Channel(id=channel, name=f"direct {user}"))
    return {"channel": {"id": channel}, "no_op": False, "already_open": False}


async def _user_info(call: Call) -> Answer:
    person = call.workspace.people.get(call.get("user"))
    if person is None:
        raise Refused("user_not_found")
    return {
        "user": {
            "id": person.id, "team_id": person.home or call.workspace.team_id, "name": person.name, "deleted": False,
            "is_admin": person.is_admin, "is_owner": person.is_owner, "is_bot": False, "tz": "Europe/Berlin",
        }
    }  # fmt: skip


async def _group_users(call: Call) -> Answer:
    if call.get("usergroup") not in call.workspace.groups:
        raise Refused("no_such_subteam")
    return {"users": list(call.workspace.groups[call.get("usergroup")])}


async def _permalink(call: Call) -> Answer:
    message = call.workspace.message(call.get("channel"), call.get("message_ts"))
    if message is None:
        raise Refused("message_not_found")
    digits = message.ts.replace(".", "")
    return {
        "channel": message.channel,
        "permalink": f"https://{call.workspace.team_id.lower()}.slack.com/archives/{message.channel}/p{digits}",
    }


async def _delete_message(call: Call) -> Answer:
    message = call.workspace.message(call.get("channel"), call.get("ts"))
    if message is None:
        raise Refused("message_not_found")
    call.workspace.messages.remove(message)
    return {"channel": message.channel, "ts": message.ts}


async def _delete_file(call: Call) -> Answer:
    if call.workspace.files.pop(call.get("file"), None) is None:
        raise Refused("file_not_found")
    return {}


async def _upload_url(call: Call) -> Answer:
    file = StoredFile(
        id=f"F{next(_numbers):06d}", name=call.get("filename"), length=int(call.get("length")),
        alt_txt=call.get("alt_txt") or "", looks_until_ready=call.workspace.processing_looks,
    )  # fmt: skip
    call.workspace.files[file.id] = file
    return {"upload_url": f"{call.slack.origin}/upload/{call.workspace.team_id}/{file.id}", "file_id": file.id}


async def _complete_upload(call: Call) -> Answer:
    answers = []
    for entry in call.get("files"):
        file = call.workspace.files.get(entry["id"])
        if file is None or file.data is None:
            raise Refused("file_not_found")
        file.completed = True
        answers.append({"id": file.id, "title": entry.get("title", file.name)})
    if call.get("channel_id"):
        channel = _open_channel(call, "channel_id")
        words = call.get("initial_comment") or ""
        shared = PostedMessage(ts=new_ts(), channel=channel.id, text=words, blocks=[], files=[f["id"] for f in answers])
        call.workspace.messages.append(shared)
    return {"files": answers}


async def _file_info(call: Call) -> Answer:
    file = call.workspace.files.get(call.get("file"))
    if file is None or not file.completed:
        raise Refused("file_not_found")
    if file.looks_until_ready > 0:
        file.looks_until_ready -= 1
    url = f"{call.slack.origin}/files-pri/{call.workspace.team_id}/{file.id}/{file.name}"
    return {
        "file": {
            "id": file.id, "name": file.name, "title": file.name, "size": len(file.data or b""),
            "mimetype": file.mimetype if file.ready else "", "filetype": "png" if file.ready else "",
            "mode": "external" if file.is_external else "hosted", "is_external": file.is_external,
            "url_private": url, "url_private_download": url, "shares": {},
        },
        "comments": [],
    }  # fmt: skip


async def _open_view(call: Call) -> Answer:
    call.slack.triggers.redeem(call.get("trigger_id"))
    return _keep_view(call, call.get("view"), f"V{next(_numbers):06d}")


async def _update_view(call: Call) -> Answer:
    if call.get("view_id") not in call.workspace.views:
        raise Refused("not_found")
    return _keep_view(call, call.get("view"), call.get("view_id"))


async def _publish_view(call: Call) -> Answer:
    view = call.get("view")
    call.judge(view_complaints(view), "invalid_arguments")
    call.workspace.homes[call.get("user_id")] = view
    call.workspace.home_views += 1
    return {"view": {"id": f"V{next(_numbers):06d}", **view}}


def _keep_view(call: Call, view: dict[str, Any], view_id: str) -> Answer:
    call.judge(view_complaints(view), "invalid_arguments")
    call.workspace.views[view_id] = {"id": view_id, **view}
    call.slack.view_opened.set()
    return {"view": call.workspace.views[view_id]}


def _open_channel(call: Call, argument: str = "channel") -> Channel:
    channel = call.workspace.channels.get(call.get(argument))
    if channel is None:
        raise Refused("channel_not_found")
    if channel.refusal and not (call.get("thread_ts") and channel.refusal == "restricted_action_thread_only_channel"):
        raise Refused(channel.refusal)
    if not channel.has_bot:
        raise Refused("not_in_channel")
    return channel


def _check_images(call: Call, blocks: list[dict[str, Any]]) -> None:
    """A block may show a file of ours only once Slack has processed it, and where files are taken."""
    channel = call.workspace.channels.get(call.get("channel"))
    if channel is not None and channel.refuses_files and any("slack_file" in block for block in blocks):
        what = "upload" if call.method == "chat.update" else "link"
        raise Refused(f"slack_connect_file_{what}_sharing_blocked")
    for block in blocks:
        if block["type"] == "image" and "slack_file" in block:
            file = call.workspace.files.get(block["slack_file"]["id"])
            if file is None or not file.ready:
                call.slack.violations.append(f"{call.method}: {block['slack_file']} was shown before it was ready")
                raise Refused("invalid_blocks")


METHODS: Final[dict[str, Handler]] = {
    "auth.test": _auth_test,
    "auth.revoke": _auth_revoke,
    "chat.postMessage": _post_message,
    "chat.update": _update,
    "chat.postEphemeral": _post_ephemeral,
    "chat.delete": _delete_message,
    "chat.getPermalink": _permalink,
    "files.delete": _delete_file,
    "conversations.open": _open_conversation,
    "users.info": _user_info,
    "usergroups.users.list": _group_users,
    "files.getUploadURLExternal": _upload_url,
    "files.completeUploadExternal": _complete_upload,
    "files.info": _file_info,
    "views.open": _open_view,
    "views.update": _update_view,
    "views.publish": _publish_view,
}
