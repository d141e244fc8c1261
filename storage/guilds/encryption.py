"""Seals tokens before they are stored: whoever reads the database alone cannot use them."""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from pipeline.errors import UserError

_KEY_FILE = "secret.key"


@dataclass(frozen=True, slots=True)
class Encryption:
    """Encrypts and decrypts texts; of several keys the first seals and all open, so that a key can be replaced."""

    fernet: MultiFernet

    @classmethod
    def from_keys(cls, keys: str) -> "Encryption":
        """A seal of `keys`, separated by commas; raises UserError."""
        try:
            return cls(MultiFernet([Fernet(key.strip()) for key in keys.split(",")]))
        except ValueError:
            raise UserError(
                "LIMNER_KEY is not a key; make one with: "
                'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            ) from None

    @classmethod
    def from_file(cls, folder: Path) -> "Encryption":
        """A seal whose key lies in the data folder, for its owner's eyes only; made where it is missing."""
        path = folder / _KEY_FILE
        if not path.exists():
            # Linked when it is whole: another process that starts now finds a key or none, and the first one holds.
            with tempfile.NamedTemporaryFile(dir=folder, prefix=_KEY_FILE) as file:
                file.write(Fernet.generate_key())
                file.flush()
                with contextlib.suppress(FileExistsError):
                    os.link(file.name, path)
        return cls.from_keys(path.read_text())

    def close(self, text: str) -> str:
        """`text`, sealed."""
        return self.fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str, max_age_seconds: int | None = None) -> str:
        """The text in `sealed`; raises UserError where no key opens it or it is too old."""
        try:
            return self.fernet.decrypt(sealed, ttl=max_age_seconds).decode()
        except InvalidToken:
            raise UserError(
                "What was stored cannot be opened with this LIMNER_KEY; set the key that sealed it."
            ) from None
