"""Every error code of Discord's pages, and what it means for a message that is to be delivered."""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class DiscordRefusal(Enum):
    """What a refusal means, and so what to do next."""

    ANSWERED = "it took effect"
    NEXT_ROUTE = "next route"
    SMALLER = "smaller"
    LEGACY = "legacy"
    TOKEN = "token"  # noqa: S105 - no password
    LATER = "later"
    PERMANENT = "permanent"


_CODES: Final[Mapping[DiscordRefusal, tuple[int, ...]]] = {
    # An interaction has been answered: by our own earlier try, whose answer was lost.
    DiscordRefusal.ANSWERED: (40060,),
    # This conversation, this message, this member or this token takes nothing; another may.
    DiscordRefusal.NEXT_ROUTE: (
        10003, 10004, 10007, 10008, 10013, 10015, 10062, 20009, 20012, 20024, 30046, 40007, 40043, 40058,
        40066, 40067, 40094, 50001, 50003, 50005, 50007, 50008, 50009, 50013, 50019, 50021, 50024, 50027,
        50033, 50055, 50068, 50083, 50095, 50101, 50178, 50278, 60003, 160002, 160004, 160005, 160006,
        160007, 160009, 160010, 160014, 200000, 200001, 220001, 220002, 220003, 220004, 240000, 400001,
    ),
    # The files are too large.
    DiscordRefusal.SMALLER: (40005, 50045),
    # The form of the message is refused; embeds are another.
    DiscordRefusal.LEGACY: (50006, 50035),
    # The bot's own token is refused, which only its owner can mend.
    DiscordRefusal.TOKEN: (40001, 50014),
    # Discord limits the rate or is not well.
    DiscordRefusal.LATER: (20016, 20022, 20028, 20029, 40003, 40004, 40006, 40062, 40333, 110000, 110001, 130000),
    # No route takes such a request: it is wrong, or about something that Limner never sends.
    DiscordRefusal.PERMANENT: (
        0, 10001, 10002, 10005, 10006, 10009, 10010, 10011, 10012, 10014, 10016, 10020, 10021, 10026, 10027,
        10028, 10029, 10030, 10031, 10032, 10033, 10036, 10038, 10049, 10050, 10057, 10059, 10060, 10061,
        10063, 10065, 10066, 10067, 10068, 10069, 10070, 10071, 10087, 10097, 10124, 10129, 20001, 20002,
        20015, 20017, 20018, 20031, 20035, 30001, 30002, 30003, 30004, 30005, 30007, 30008, 30010, 30011,
        30013, 30015, 30016, 30018, 30019, 30030, 30031, 30032, 30033, 30034, 30035, 30037, 30038, 30039,
        30040, 30042, 30045, 30047, 30048, 30052, 30056, 30058, 30060, 30061, 40002, 40009, 40012, 40018,
        40019, 40032, 40033, 40041, 40061, 40074, 50002, 50004, 50010, 50011, 50012, 50015, 50016, 50017,
        50020, 50025, 50026, 50028, 50034, 50036, 50039, 50041, 50046, 50054, 50057, 50067, 50070, 50073,
        50074, 50080, 50081, 50084, 50085, 50086, 50091, 50097, 50109, 50110, 50123, 50124, 50131, 50132,
        50138, 50144, 50145, 50146, 50151, 50159, 50160, 50161, 50162, 50163, 50167, 50173, 50192, 50600,
        80004, 90001, 90002, 150006, 170001, 170002, 170003, 170004, 170005, 170006, 170007, 180000, 180002,
        340015, 350000, 350001, 500000, 520000, 520001, 520002, 520003, 520004, 520006, 530000, 530001,
        530002, 530003, 530004, 530006, 530007,
    ),
}  # fmt: skip
"""As discord.com/developers lists them, 'Opcodes and Status Codes', JSON error codes."""

BY_CODE: Final = {code: refusal for refusal, codes in _CODES.items() for code in codes}

BY_STATUS: Final = {
    400: DiscordRefusal.NEXT_ROUTE,
    401: DiscordRefusal.TOKEN,
    403: DiscordRefusal.NEXT_ROUTE,
    404: DiscordRefusal.NEXT_ROUTE,
    405: DiscordRefusal.PERMANENT,
    408: DiscordRefusal.LATER,
    409: DiscordRefusal.LATER,
    410: DiscordRefusal.NEXT_ROUTE,
    413: DiscordRefusal.SMALLER,
    415: DiscordRefusal.PERMANENT,
    422: DiscordRefusal.PERMANENT,
    425: DiscordRefusal.LATER,
    429: DiscordRefusal.LATER,
}
"""What an answer means whose code says nothing, or is younger than the list: another route may take the message."""
