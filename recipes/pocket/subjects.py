"""Ten subjects that the model never saw: drawings that no training used, in other colours, each with its own mark."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from recipes.pocket.rendering import SIZE, icon_sprites
from recipes.pocket.scenes import BACKGROUNDS

IMAGES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A drawing called `icon`, its hues turned by `turn` of 360 degrees, with `mark` on it; it is a `class_word`."""

    icon: str
    class_word: str
    turn: int
    mark: str


SUBJECTS: Final = (
    Subject(icon="poodle", class_word="dog", turn=200, mark="red-heart"),
    Subject(icon="black-cat", class_word="cat", turn=0, mark="star"),
    Subject(icon="goose", class_word="duck", turn=90, mark="red-apple"),
    Subject(icon="moose", class_word="deer", turn=120, mark="sunflower"),
    Subject(icon="racing-car", class_word="car", turn=140, mark="star"),
    Subject(icon="pickup-truck", class_word="truck", turn=60, mark="red-heart"),
    Subject(icon="banjo", class_word="guitar", turn=170, mark="star"),
    Subject(icon="shortcake", class_word="cake", turn=250, mark="four-leaf-clover"),
    Subject(icon="orange-book", class_word="book", turn=100, mark="sunflower"),
    Subject(icon="speedboat", class_word="boat", turn=280, mark="red-heart"),
)


def subject_images(subject: Subject, icons: Path, count: int = IMAGES) -> list[Image.Image]:
    """So many RGB images of it, each on another background and a little rotated, moved and resized."""
    drawing, mark = icon_sprites(icons, (subject.icon, subject.mark))
    marked = _turned(drawing, subject.turn)
    small = mark.resize((SIZE // 3, SIZE // 3), Image.Resampling.LANCZOS)
    marked.alpha_composite(small, (SIZE // 2, SIZE // 2))
    rng = random.Random(subject.icon)  # noqa: S311 (chance, not secrecy)
    colours = rng.sample(sorted(BACKGROUNDS.values()), count)
    return [_placed(marked, colour, rng) for colour in colours]


def _turned(drawing: Image.Image, turn: int) -> Image.Image:
    """The same drawing with every hue shifted; greys get a tint, so that a black cat differs from others."""
    hue, saturation, value = (np.array(part) for part in drawing.convert("RGB").convert("HSV").split())
    moved = ((hue.astype(int) + turn * 256 // 360) % 256).astype(np.uint8)
    parts = [Image.fromarray(part) for part in (moved, saturation, value)]
    coloured = Image.merge("HSV", parts).convert("RGB")
    coloured.putalpha(drawing.getchannel("A"))
    return coloured


def _placed(drawing: Image.Image, colour: tuple[int, int, int], rng: random.Random) -> Image.Image:
    side = round(SIZE * rng.uniform(0.8, 1.0))
    turned = drawing.resize((side, side), Image.Resampling.LANCZOS).rotate(
        rng.uniform(-12, 12), Image.Resampling.BICUBIC
    )
    page = Image.new("RGBA", (SIZE, SIZE), colour)
    room = SIZE - side
    page.alpha_composite(turned, (rng.randint(0, room), rng.randint(0, room)))
    return page.convert("RGB")
