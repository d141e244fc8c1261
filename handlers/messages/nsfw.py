"""How an image that is not for everybody is shown: plainly, hidden until it is clicked, or as a sentence."""

from enum import Enum
from typing import Final, assert_never

from storage.guilds.guilds import NsfwPolicy
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress

_CAN_HIDE: Final = frozenset({Platform.DISCORD})
_HAS_RESTRICTED_CHANNELS: Final = frozenset({Platform.DISCORD})


class NsfwDisplay(Enum):
    """What becomes of an NSFW image."""

    PLAIN = "plain"
    HIDDEN = "hidden"
    WITHHELD = "withheld"


def nsfw_display(nsfw: NsfwPolicy, address: ReplyAddress) -> NsfwDisplay:
    """How the guild's choice shows an NSFW image at `address`; a platform that cannot hide one withholds it."""
    match nsfw:
        case NsfwPolicy.REFUSE:
            return NsfwDisplay.WITHHELD
        case NsfwPolicy.RESTRICTED:
            return NsfwDisplay.PLAIN if address.age_restricted else NsfwDisplay.WITHHELD
        case NsfwPolicy.SPOILER:
            if address.age_restricted:
                return NsfwDisplay.PLAIN
            return NsfwDisplay.HIDDEN if address.platform in _CAN_HIDE else NsfwDisplay.WITHHELD
        case _:
            assert_never(nsfw)


def withheld_sentence(count: int, nsfw: NsfwPolicy, platform: Platform) -> str:
    """Why `count` images are not in a message, and what to do."""
    images = "1 picture is" if count == 1 else f"{count} pictures are"
    if nsfw is not NsfwPolicy.REFUSE and platform in _HAS_RESTRICTED_CHANNELS:
        return f"{images} for adults and not shown here; ask again in an age-restricted channel."
    return f"{images} for adults and not shown here; change the prompt, or ask an admin about the settings."
