"""What an image may show: concepts, styles and backgrounds, and which combinations training never sees."""

import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The icon set that teaches each style.
STYLES = {"cartoon": "noto", "flat": "fluent-emoji-flat", "glossy": "fluent-emoji"}

BACKGROUNDS = {
    "white": (250, 250, 250),
    "gray": (140, 144, 150),
    "red": (224, 72, 72),
    "orange": (245, 150, 60),
    "yellow": (250, 220, 90),
    "green": (110, 190, 90),
    "teal": (40, 160, 155),
    "blue": (75, 130, 235),
    "purple": (150, 95, 215),
    "pink": (250, 160, 200),
}

# One combination in so many is held out of training, to measure how the model generalises.
HELD_OUT_ONE_IN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """A thing that has a name: its icon's name in the sets, and the words that people use for it."""

    icon: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One image's content, as indices into the concepts, the styles and the backgrounds."""

    concept: int
    style: int
    background: int


def concepts() -> list[Concept]:
    """The concepts of `concepts.txt`, in its order."""
    lines = Path(__file__).with_name("concepts.txt").read_text(encoding="utf-8").splitlines()
    return [_concept(line) for line in lines if line and not line.startswith("#")]


def _concept(line: str) -> Concept:
    icon, _, words = (part.strip() for part in line.partition("="))
    return Concept(icon=icon, words=tuple(word.strip() for word in (words or icon.replace("-", " ")).split(",")))


def is_held_out(scene: Scene) -> bool:
    """Whether training never sees this combination."""
    key = f"{scene.concept}/{scene.style}/{scene.background}"
    return zlib.crc32(key.encode()) % HELD_OUT_ONE_IN == 0


def scenes(concept_count: int) -> Iterator[Scene]:
    """Every combination of the first `concept_count` concepts with all styles and backgrounds."""
    for concept, style, background in itertools.product(
        range(concept_count), range(len(STYLES)), range(len(BACKGROUNDS))
    ):
        yield Scene(concept=concept, style=style, background=background)
