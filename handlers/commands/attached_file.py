"""A file that a member handed over with a command, already in the blob store: platforms' own links expire."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """`blob` is the key of its bytes, `name` what the member called it, `size` in bytes; nothing in it is checked."""

    blob: str
    name: str
    size: int
