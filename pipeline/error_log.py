"""The log of something that is tried again and again: each error once, until it goes well again."""

import logging
from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import UserError

_MOST_SAID: Final = 20


@dataclass(slots=True)
class ErrorLog:
    """Says an error once: a full disk fails twice a second, and its thousandth line says no more than its first.

    Attributes:
        logger: where it is said.
    """

    logger: logging.Logger
    _said: dict[str, None] = field(default_factory=dict)

    def note(self, error: Exception, words: str, *arguments: object) -> None:
        """Log the error unless it was logged since things last went well: in a sentence where it has one.

        Args:
            error: what was raised.
            words: what failed, and what is done about it, as `logging` formats them.
            *arguments: what they name.
        """
        this = f"{words % arguments} {type(error).__name__}: {error}"
        if this in self._said:
            self.logger.debug("still: %s", this)
            return
        if len(self._said) >= _MOST_SAID:
            del self._said[next(iter(self._said))]
        self._said[this] = None
        if isinstance(error, UserError):
            self.logger.error("%s: %s", words % arguments, error)
        else:
            self.logger.error(words, *arguments, exc_info=error)

    def goes_well(self, words: str, *arguments: object) -> None:
        """Log that it works again where it had failed, after which every error is new.

        Args:
            words: what works again.
            *arguments: what they name.
        """
        if self._said:
            self._said.clear()
            self.logger.info("%s works again", words % arguments)
