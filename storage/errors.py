"""Turns what a database or a disk reports into one sentence that says what to do."""

import errno

from pipeline.errors import UserError


class StorageError(UserError):
    """The database or the blob store cannot do its work; the text says what to mend and holds no secret."""


def disk_error(error: OSError, place: str) -> StorageError:
    """The sentence for a file operation that failed below `place`, a path or a name that may be shown."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return StorageError(f"The disk that holds {place} is full; free some space there and try again.")
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return StorageError(f"{place} cannot be written; give the user that runs Limner the right to write there.")
        case _:
            return StorageError(f"{place} cannot be used ({error.strerror or error}); check the disk that holds it.")
