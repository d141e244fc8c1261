"""The parameters of an image that another program made."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.errors import NO_TEXT

MOST_LORAS: Final = 32
MOST_LEFT: Final = 40
MOST_TEXT: Final = 20_000
_MOST_NUMBER: Final = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedLora:
    """A LoRA as the other program names it: `settings` is what stands behind the name in its tag, such as ":0.8"."""

    name: str
    settings: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramParameters:
    """What an image of another `program` says; None and "" are what it does not say.

    `sampler` and `spacing` are in the program's own words, `options` what has a name of ours, by that name; `left`
    are what else it says, in words. `inversions` are textual inversions.
    """

    program: str
    prompt: str = ""
    negative: str = ""
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    sampler: str = ""
    spacing: str = ""
    width: int | None = None
    height: int | None = None
    model: str = ""
    model_hash: str = ""
    loras: tuple[NamedLora, ...] = ()
    inversions: tuple[NamedLora, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    left: tuple[str, ...] = ()

    @property
    def says_anything(self) -> bool:
        """Whether there is enough to ask for an image like it."""
        return bool(self.prompt or self.seed is not None or self.steps is not None)


def whole(value: object) -> int | None:
    """An untrusted value as a whole number.

    Args:
        value: of any type.

    Returns:
        None for what is none, or beyond 64 bits.
    """
    found = number(value)
    return None if found is None or not found.is_integer() else _exact(value, found)


def _exact(value: object, found: float) -> int:
    """Past 2**53 a float is not the number that was written."""
    try:
        return int(str(value).strip())
    except ValueError:
        return int(found)


def number(value: object) -> float | None:
    """An untrusted value as a number.

    Args:
        value: of any type.

    Returns:
        None for what is none, is not finite or beyond 64 bits.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)[:40]) == 40:
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and abs(found) <= _MOST_NUMBER else None


def text(value: object) -> str:
    """An untrusted value as a text.

    Args:
        value: of any type.

    Returns:
        Of a bounded length; empty for what is no text.
    """
    return NO_TEXT.sub("", value[:MOST_TEXT]).strip() if isinstance(value, str) else ""


def named(value: object) -> str:
    """An untrusted value as the name of a file.

    Args:
        value: such as "styles/crayon.safetensors", or a mapping with a name in it.

    Returns:
        Without folders and ending.
    """
    if isinstance(value, Mapping):
        value = next((own for key in ("name", "model_name", "key") if isinstance(own := value.get(key), str)), "")
    name = text(value).replace("\\", "/").rpartition("/")[2]
    for ending in (".safetensors", ".ckpt", ".pt", ".sft", ".gguf"):
        name = name.removesuffix(ending)
    return name[:200]
