"""Encrypts tokens before they are stored, so that anyone who reads the database alone cannot use them."""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from pipeline.errors import UserError
from storage.errors import disk_error

_KEY_FILE = "secret.key"


@dataclass(frozen=True, slots=True)
class Encryption:
    """Encrypts with the first of its keys and decrypts with any, so that a key can be replaced."""

    fernet: MultiFernet

    @classmethod
    def from_keys(cls, keys: str) -> "Encryption":
        """From `keys`, separated by commas; raises UserError."""
        try:
            return cls(MultiFernet([Fernet(key.strip()) for key in keys.split(",")]))
        except ValueError:
            raise UserError(
                "LIMNER_KEY is not a key; make one with: "
                'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            ) from None

    @classmethod
    def from_file(cls, folder: Path) -> "Encryption":
        """From the key in the data folder, readable by its owner only; made where it is missing.

        Raises UserError.
        """
        path = folder / _KEY_FILE
        try:
            return cls.from_keys(_key_in(path))
        except OSError as error:
            raise disk_error(error, "the key", path) from error

    def encrypt(self, text: str) -> str:
        """`text`, encrypted, as text."""
        return self.fernet.encrypt(text.encode()).decode()

    def encrypt_at(self, second: float, text: str) -> str:
        """`text`, encrypted, with the `second` at which that was done."""
        return self.fernet.encrypt_at_time(text.encode(), int(second)).decode()

    def is_recent(self, encrypted: str, seconds: int, now: float) -> bool:
        """Whether a key opens `encrypted` and it was encrypted at most so many `seconds` before `now`."""
        try:
            self.fernet.decrypt_at_time(encrypted, seconds, int(now))
        except InvalidToken:
            return False
        return True

    def decrypt(self, encrypted: str) -> str:
        """The text in `encrypted`; raises UserError where no key opens it."""
        try:
            return self.fernet.decrypt(encrypted).decode()
        except InvalidToken:
            raise UserError(
                "What was stored cannot be opened with this LIMNER_KEY; set the key that sealed it."
            ) from None


def _key_in(path: Path) -> str:
    if not path.exists():
        # Linked once it is whole: another process that starts now finds a key or none, and the first one counts.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name) as file:
            file.write(Fernet.generate_key())
            file.flush()
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text()
