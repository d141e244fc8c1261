"""The id of a message in Slack, as a text stored with a reply."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageId:
    """A message's conversation and timestamp: both are needed to edit it."""

    channel: str
    ts: str

    @classmethod
    def parse(cls, text: str) -> "MessageId":
        """The id in `text`."""
        channel, _, ts = text.partition(":")
        return cls(channel=channel, ts=ts)

    @property
    def text(self) -> str:
        """The form in which a reply's address stores it."""
        return f"{self.channel}:{self.ts}"
