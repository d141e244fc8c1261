"""Where a reply goes, in values that outlive every token of a platform."""

from dataclasses import dataclass

from storage.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyAddress:
    """Where the reply to a request is posted; `message_id` is the status message, once there is one.

    `tenant` names whose token posts it, on platforms that give out one for each workspace; `age_restricted` says that
    the platform let only adults in where it was asked; `application_id` is the application that was asked, which posts
    it unless it has left the guild; `received_id` is what of the inbox asked for it.
    """

    platform: Platform
    channel_id: str
    user_id: str
    thread_id: str | None = None
    message_id: str | None = None
    private: bool = False
    locale: str = "en"
    tenant: str = ""
    age_restricted: bool = False
    application_id: str = ""
    received_id: int | None = None
