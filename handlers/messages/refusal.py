"""The sentence that a member gets for an error: what they can do, and nothing of the machine that Limner runs on."""

import logging
from typing import Final

from pipeline.errors import UserError, without_places
from storage.errors import StorageError

_log = logging.getLogger(__name__)

NOT_STORED: Final = "Limner cannot take this now, since its database does not answer; send it again in a minute."
DEADLY: Final = "Limner was stopped each time it tried to answer this; send it again in another way."
_STORAGE: Final = (
    "Limner cannot store or read what this needs just now; try again later, or tell the person who runs it."
)


def refusal(error: UserError) -> str:
    """The sentence; what only the person who runs Limner can mend goes to the log, with all that it names."""
    if isinstance(error, StorageError):
        _log.error("a member was refused: %s", error, exc_info=error)
        return _STORAGE
    return without_places(str(error))
