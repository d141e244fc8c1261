"""Turns what a database or a disk reports into one sentence that says what to do."""

import errno
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError

from pipeline.errors import UserError

_POSTGRES_SENTENCES: Final = {
    "25006": "The database {place} is read-only; connect to its primary server or allow writing there.",
    "28000": "The database {place} refused the user; correct it in the database URL.",
    "28P01": "The database {place} refused the password; correct it in the database URL.",
    "3D000": "There is no database at {place}; create it, then run `limner migrate`.",
    "42501": "The database user may not do this in {place}; grant it the rights on its schema.",
    "53100": "The disk of the database {place} is full; free some space there and try again.",
    "53300": "The database {place} has no connection left; raise its max_connections or run fewer processes.",
}

_PASSING: Final = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOENT, errno.ESTALE, errno.EMFILE, errno.ENFILE,
    errno.ENXIO, errno.ENODEV, errno.ETIMEDOUT,
})  # fmt: skip
"""What is over once there is room again, or the disk is back."""
_LASTING_POSTGRES: Final = frozenset({"28000", "28P01", "42501"})
_LASTING_SQLITE: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


class StorageError(UserError):
    """The database or the blob store cannot do its work; the text says what to mend and holds no secret.

    It names the `place`, which is for the person who runs Limner; `plain` is the same without it. `passes` says that
    it may pass by itself, as with a server that is about to start.
    """

    def __init__(self, sentence: str, place: object = "", *, passes: bool = False) -> None:
        super().__init__(sentence)
        self.place = str(place)
        self.passes = passes

    @property
    def plain(self) -> str:
        """What anyone may read."""
        return re.sub(rf"(?: at| from| in)? {re.escape(self.place)}", "", str(self)) if self.place else str(self)


def disk_error(error: OSError, what: str, place: object = "") -> StorageError:
    """The sentence for a file operation that failed: `what` lies at `place`, a path."""
    named = f"{what} {place}".rstrip()
    beginning = named[:1].upper() + named[1:]
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            sentence = f"The disk that holds {named} is full; free some space there and try again."
        case errno.EROFS | errno.EACCES | errno.EPERM:
            sentence = f"{beginning} cannot be written; give the user that runs Limner the right to write there."
        case _:
            sentence = f"{beginning} cannot be used ({error.strerror or error}); check the disk that holds it."
    return StorageError(sentence, place, passes=error.errno in _PASSING)


def cannot_be_opened(place: str) -> str:
    """What to say of a SQLite file that is not there and cannot be made."""
    return f"The database {place} cannot be opened; check that its folder exists and may be written."


@contextmanager
def database_error(place: str) -> Iterator[None]:
    """Raises StorageError for what an admin can mend in the database at `place`; other errors pass as they are."""
    try:
        yield
    except DBAPIError as error:
        sentence = _sentence(error, place)
        if sentence is None:
            raise
        raise StorageError(sentence, place, passes=_passes(error)) from error
    except OSError as error:
        # asyncpg reports a server that does not answer as the socket's own error.
        raise StorageError(_unreachable(place), place, passes=True) from error


def _passes(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF not in _LASTING_SQLITE
    return str(getattr(error.orig, "sqlstate", None) or "") not in _LASTING_POSTGRES


def _sentence(error: DBAPIError, place: str) -> str | None:
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_sentence(error.orig, place)
    code = str(getattr(error.orig, "sqlstate", None) or "")
    return _postgres_sentence(code, place) or (_unreachable(place) if error.connection_invalidated else None)


def _sqlite_sentence(error: sqlite3.Error, place: str) -> str | None:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_READONLY:
            return f"The database {place} is read-only; give the user that runs Limner the right to write it."
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return f"The disk that holds the database {place} is full or failing; free some space and try again."
        case sqlite3.SQLITE_CANTOPEN:
            return cannot_be_opened(place)
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return f"The file {place} is not a sound SQLite database; restore it from a backup or choose another."
        case sqlite3.SQLITE_BUSY:
            return f"The database {place} is held by another program; close that program and try again."
        case _:
            return None


def _postgres_sentence(code: str, place: str) -> str | None:
    if code.startswith(("08", "57P")):
        return _unreachable(place)
    sentence = _POSTGRES_SENTENCES.get(code)
    return sentence and sentence.format(place=place)


def _unreachable(place: str) -> str:
    return f"The database at {place} does not answer; check that the server runs and that the URL names it."
