"""A finished picture: where its bytes are and what made it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPicture:
    """Picture `index` of a job, counted from 0: its blob's key, its size in pixels, its seed and its parameters.

    `mature` says that it is not for everybody: each guild chose what becomes of such a picture.
    """

    index: int
    blob: str
    width: int
    height: int
    seed: int
    parameters: str
    mature: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A recorded picture; `created_at` is in Unix seconds."""

    id: int
    job_id: int
    index: int
    blob: str
    width: int
    height: int
    seed: int
    parameters: str
    created_at: float
    mature: bool
