"""How a picture that is not for everybody is shown: plainly, hidden until it is clicked, or as a sentence."""

from enum import Enum
from typing import Final, assert_never

from storage.guilds.guilds import Mature
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress

_CAN_HIDE: Final = frozenset({Platform.DISCORD})
_HAS_RESTRICTED_CHANNELS: Final = frozenset({Platform.DISCORD})


class Manner(Enum):
    """What becomes of a mature picture."""

    PLAIN = "plain"
    HIDDEN = "hidden"
    WITHHELD = "withheld"


def mature_manner(mature: Mature, address: ReplyAddress) -> Manner:
    """How the guild's choice shows a mature picture at `address`; a platform that cannot hide one withholds it."""
    match mature:
        case Mature.REFUSE:
            return Manner.WITHHELD
        case Mature.RESTRICTED:
            return Manner.PLAIN if address.age_restricted else Manner.WITHHELD
        case Mature.SPOILER:
            if address.age_restricted:
                return Manner.PLAIN
            return Manner.HIDDEN if address.platform in _CAN_HIDE else Manner.WITHHELD
        case _:
            assert_never(mature)


def withheld_sentence(count: int, mature: Mature, platform: Platform) -> str:
    """Why `count` pictures are not in a message, and what to do."""
    pictures = "1 picture is" if count == 1 else f"{count} pictures are"
    if mature is not Mature.REFUSE and platform in _HAS_RESTRICTED_CHANNELS:
        return f"{pictures} for adults and not shown here; ask again in an age-restricted channel."
    return f"{pictures} for adults and not shown here; change the prompt, or ask an admin about the settings."
