"""A finished image: where its bytes are and what made it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """Image `index` of a job, counted from 0: its blob's key, its size in pixels, its seed and its parameters.

    `parameters` are those that it was generated with, for people; `note` is the handler's own text about it; `nsfw`
    says that it is not for everybody: each guild chooses how such images are shown.
    """

    index: int
    blob: str
    width: int
    height: int
    seed: int
    parameters: str
    note: str = ""
    nsfw: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """A recorded image; `created_at` is the database clock's, close to Unix seconds."""

    id: int
    job_id: int
    index: int
    blob: str
    width: int
    height: int
    seed: int
    parameters: str
    note: str
    created_at: float
    nsfw: bool
