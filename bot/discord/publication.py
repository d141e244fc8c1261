"""The commands as Discord knows them: published when they changed, and again later where Discord refuses them."""

import asyncio
import hashlib
import json
import logging
from dataclasses import dataclass, field
from typing import Any, Final

import discord
from discord import app_commands

from bot.discord.errors import FAULTS, WAITING, reason_of, refusal_of
from bot.discord.translations import Translations
from pipeline.error_log import ErrorLog
from pipeline.errors import UserError
from storage.queue.key_values import KeyValues

_log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 15.0
_LONGEST_WAIT: Final = 60.0
"""What passes by itself is soon over; what is refused stays so until somebody does something, or until tomorrow."""
_LONGEST_REFUSED: Final = 3600.0
_DAILY_LIMIT: Final = 30034
_REFUSED: Final = (
    "Discord does not take Limner's commands ({reason}); they are sent again later, and until then those that it has "
    "stay. The log holds Discord's words."
)
_TOO_MANY: Final = (
    "Discord takes no more commands of this bot today, since it allows 200 new ones a day; they are sent again later, "
    "and until then those that it has stay."
)


@dataclass(slots=True, kw_only=True)
class CommandPublication:
    """Publishes the commands of `tree`; `trouble` says why Discord does not have them yet, or is None."""

    tree: app_commands.CommandTree[Any]
    notes: KeyValues
    first_pause: float = _FIRST_PAUSE
    trouble: str | None = None
    _errors: ErrorLog = field(default_factory=lambda: ErrorLog(_log))

    async def run(self, application_id: int) -> None:
        """Publish them if they changed; where that fails, again and again, ever more seldom."""
        pause = self.first_pause
        while (longest := await self._try(application_id)) is not None:
            await asyncio.sleep(min(pause, longest))
            pause *= 2

    async def _try(self, application_id: int) -> float | None:
        """Try once; None where it succeeded, else the longest pause before the next time."""
        try:
            await publish(self.tree, self.notes, application_id)
        except FAULTS as error:
            passes = refusal_of(error, by_token=False) in WAITING
            daily = isinstance(error, discord.HTTPException) and error.code == _DAILY_LIMIT
            self.trouble = _TOO_MANY if daily else _REFUSED.format(reason=reason_of(error))
            self._errors.note(UserError(f"{self.trouble} ({error})"), "the commands are not published")
            return _LONGEST_WAIT if passes else _LONGEST_REFUSED
        except Exception as error:
            self.trouble = (
                str(error) if isinstance(error, UserError) else "the commands cannot be published; see the log"
            )
            self._errors.note(error, "the commands are not published")
            return _LONGEST_WAIT
        self.trouble = None
        self._errors.goes_well("the publication of commands")
        return None


async def publish(tree: app_commands.CommandTree[Any], notes: KeyValues, application_id: int) -> bool:
    """Publish the commands if they differ from those published last; whether they were published."""
    payloads = [await command.get_translated_payload(tree, Translations()) for command in tree.get_commands(type=None)]
    fingerprint = hashlib.sha256(json.dumps(payloads, sort_keys=True).encode()).hexdigest()
    name = f"discord commands of {application_id}"
    if await notes.get(name) == fingerprint:
        return False
    await tree.sync()
    await notes.put(name, fingerprint)
    _log.info("Discord: published %d commands", len(payloads))
    return True
