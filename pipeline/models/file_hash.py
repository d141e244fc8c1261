"""The SHA-256 of a model's file, by whose first digits other programs and Civitai know it (AutoV2)."""

import hashlib
import json
import logging
import re
import threading
from pathlib import Path
from typing import Final

from pipeline.files import write_atomically

_log = logging.getLogger(__name__)

_DIGITS: Final = 10
_SHA_256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class FileHashes:
    """Hashes of files, each computed once: a file of some gigabytes takes seconds.

    Args:
        cache: the folder in which they are kept between starts; None for nowhere.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def short(self, path: Path) -> str:
        """What other programs call a file; it may take seconds, and waits for another thread that is at it.

        Args:
            path: of the file.

        Returns:
            The first ten digits of its SHA-256.

        Raises:
            OSError: it cannot be read.
        """
        return self.whole(path)[:_DIGITS]

    def whole(self, path: Path) -> str:
        """The SHA-256 of a file, as `short`.

        Args:
            path: of the file.

        Returns:
            64 digits.

        Raises:
            OSError: it cannot be read.
        """
        path = path.resolve(strict=True)
        if _SHA_256.fullmatch(path.name):  # the Hugging Face cache calls a file so
            return path.name
        state = path.stat()
        key = f"{path}:{state.st_size}:{state.st_mtime_ns}"
        with self._lock:
            if key not in self._known:
                self._known[key] = self._read(key) or self._computed(path, key)
            return self._known[key]

    def _computed(self, path: Path, key: str) -> str:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        self._write(key, found)
        return found

    def _place(self, key: str) -> Path | None:
        name = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:16]
        return None if self._cache is None else self._cache / f"sha256-{name}.json"

    def _read(self, key: str) -> str | None:
        if (place := self._place(key)) is None:
            return None
        try:
            kept = json.loads(place.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("%s is computed again: %s", place.name, error)
            return None
        digits = kept.get("sha256") if isinstance(kept, dict) else None
        return digits if isinstance(digits, str) and _SHA_256.fullmatch(digits) else None

    def _write(self, key: str, found: str) -> None:
        if (place := self._place(key)) is None:
            return
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with write_atomically(place) as file:
                file.write_text(json.dumps({"sha256": found}), encoding="utf-8")
        except OSError as error:
            _log.warning("a file's hash is not remembered: %s", error)
