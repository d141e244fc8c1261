"""Where a message stands in Slack."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRef:
    """A message by its conversation and its timestamp: both are needed to edit it."""

    channel: str
    ts: str

    @classmethod
    def parse(cls, text: str) -> "MessageRef":
        """The message that `text` names."""
        channel, _, ts = text.partition(":")
        return cls(channel=channel, ts=ts)

    @property
    def text(self) -> str:
        """The form that a reply's address keeps."""
        return f"{self.channel}:{self.ts}"
