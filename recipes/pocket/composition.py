"""A composed scene: one to four drawings of one style at their places, on a plain or two-colour background."""

import math
import random
import zlib
from dataclasses import dataclass, replace

from recipes.pocket.scenes import BACKGROUNDS, STYLES, Scene, is_held_out

MOST_DRAWINGS = 4
_SINGLE = 0.5
_PLAIN = 0.8
_PAIRS_HELD_OUT_ONE_IN = 10
_CROPPED = 0.08
_COARSE = 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One drawing in the image: its centre and the side of its square in pixels, its rotation in radians."""

    concept: int
    x: float
    y: float
    side: float
    tilt: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """One colour, or two that meet along a line through the image: at `angle`, `offset` sides off the middle."""

    first: int
    second: int
    angle: float = 0.0
    offset: float = 0.0
    softness: float = 0.01

    @property
    def is_plain(self) -> bool:
        """Whether there is but one colour."""
        return self.first == self.second


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What an image shows; `groups` are the drawings of one concept each, painted in the order of `drawings`."""

    width: int
    height: int
    style: int
    backdrop: Backdrop
    drawings: tuple[Drawing, ...]
    in_front: int | None = None
    """The drawing that covers part of another."""

    in_a_row: bool = False
    crop: tuple[int, int] = (0, 0)
    """What was cut off at the left and at the top, and as much at the right and at the bottom."""

    coarseness: int = 1
    """The factor by which the image was enlarged."""

    @property
    def groups(self) -> list[list[Drawing]]:
        """The drawings by concept, in order of their first."""
        found: dict[int, list[Drawing]] = {}
        for drawing in self.drawings:
            found.setdefault(drawing.concept, []).append(drawing)
        return list(found.values())

    @property
    def size_numbers(self) -> tuple[int, ...]:
        """SDXL's: original height and width, top and left of the crop, the image's own height and width."""
        left, top = self.crop
        original = (self.height + 2 * top) // self.coarseness, (self.width + 2 * left) // self.coarseness
        return (*original, top, left, self.height, self.width)


def composition(size: tuple[int, int], concept_count: int, rng: random.Random, *, seen: bool = True) -> Composition:
    """A random scene of that width and height: with `seen` one that training may see, else one held out."""
    while True:
        counts = _counts(rng)
        concepts = rng.sample(range(concept_count), len(counts))
        style, backdrop = rng.randrange(len(STYLES)), _backdrop(rng)
        if is_unseen(concepts, style, backdrop) != seen:
            break
    width, height = size
    crop = (0, 0)
    if rng.random() < _CROPPED:
        crop = round(width * rng.uniform(0, 0.15)), round(height * rng.uniform(0, 0.15))
    canvas = width + 2 * crop[0], height + 2 * crop[1]
    things = [concept for concept, count in zip(concepts, counts, strict=True) for _ in range(count)]
    laid = _laid(canvas, things, rng)
    moved = tuple(replace(drawing, x=drawing.x - crop[0], y=drawing.y - crop[1]) for drawing in laid.drawings)
    return replace(
        laid,
        width=width,
        height=height,
        style=style,
        backdrop=backdrop,
        drawings=moved,
        crop=crop,
        coarseness=2 if rng.random() < _COARSE else 1,
    )


def is_unseen(concepts: list[int], style: int, backdrop: Backdrop) -> bool:
    """Whether training never sees this combination: one of a concept, style and colour, or a pair of concepts."""
    held_out = any(
        is_held_out(Scene(concept=concept, style=style, background=colour))
        for concept in concepts
        for colour in {backdrop.first, backdrop.second}
    )
    pair = "/".join(map(str, sorted(concepts)))
    return held_out or (len(concepts) > 1 and zlib.crc32(pair.encode()) % _PAIRS_HELD_OUT_ONE_IN == 0)


def _counts(rng: random.Random) -> list[int]:
    if rng.random() < _SINGLE:
        return [1]
    return rng.choices(
        ([2], [3], [4], [1, 1], [2, 1], [1, 2], [3, 1], [1, 3], [1, 1, 1]),
        (0.2, 0.17, 0.07, 0.26, 0.06, 0.06, 0.04, 0.04, 0.1),
    )[0]


def _backdrop(rng: random.Random) -> Backdrop:
    first = rng.randrange(len(BACKGROUNDS))
    if rng.random() < _PLAIN:
        return Backdrop(first=first, second=first)
    second = (first + rng.randrange(1, len(BACKGROUNDS))) % len(BACKGROUNDS)
    angle = rng.choices((math.pi / 2, 0.0, math.pi / 4), (0.6, 0.3, 0.1))[0]
    softness = 1.0 if rng.random() < 0.35 else 0.01
    return Backdrop(first=first, second=second, angle=angle, offset=rng.uniform(-0.15, 0.2), softness=softness)


def _laid(canvas: tuple[int, int], things: list[int], rng: random.Random) -> Composition:
    """The drawings in their places; style, backdrop and the rest are the caller's."""
    blank = Composition(width=canvas[0], height=canvas[1], style=0, backdrop=Backdrop(first=0, second=0), drawings=())
    if len(things) == 1:
        return replace(blank, drawings=(_alone(canvas, things[0], rng),))
    if rng.random() < 0.3:
        return replace(blank, drawings=_row(canvas, things, rng), in_a_row=True)
    overlapping = len(things) == 2 and things[0] != things[1] and rng.random() < 0.4
    drawings = _scattered(canvas, things, overlapping, rng)
    if overlapping:
        rng.shuffle(drawings)
    return replace(blank, drawings=tuple(drawings), in_front=1 if overlapping else None)


def _turn(rng: random.Random) -> float:
    return 0.0 if rng.random() < 0.4 else max(-0.6, min(0.6, rng.gauss(0, 0.2)))


def _alone(canvas: tuple[int, int], concept: int, rng: random.Random) -> Drawing:
    width, height = canvas
    side = min(canvas) * (0.95 - 0.5 * rng.random() ** 1.6)
    centred = 0.3 if rng.random() < 0.4 else 1.0
    return Drawing(
        concept=concept,
        x=width / 2 + centred * rng.uniform(-0.5, 0.5) * (width - side),
        y=height / 2 + centred * rng.uniform(-0.5, 0.5) * (height - side),
        side=side,
        tilt=_turn(rng),
        mirrored=rng.random() < 0.5,
    )


def _row(canvas: tuple[int, int], things: list[int], rng: random.Random) -> tuple[Drawing, ...]:
    """Side by side along the longer side, all as large."""
    width, height = canvas
    along, other = max(canvas), min(canvas)
    side = min(along / len(things) * rng.uniform(0.8, 0.98), other * rng.uniform(0.6, 0.92))
    gap = min(along / len(things), side * rng.uniform(1.0, 1.4))
    level = rng.uniform(-0.4, 0.4) * (other - side)
    mirrored = rng.random() < 0.5
    placed = []
    for number, concept in enumerate(things):
        step = (number - (len(things) - 1) / 2) * gap
        x, y = (width / 2 + step, height / 2 + level) if width >= height else (width / 2 + level, height / 2 + step)
        placed.append(Drawing(concept=concept, x=x, y=y, side=side, mirrored=mirrored))
    return tuple(placed)


_LARGEST = {2: 0.62, 3: 0.52, 4: 0.45}


def _scattered(canvas: tuple[int, int], things: list[int], overlapping: bool, rng: random.Random) -> list[Drawing]:
    """Random places: the first try whose drawings keep apart, or the best of a few."""
    most = _LARGEST[len(things)] * math.sqrt(canvas[0] * canvas[1])
    sides = {concept: min(most * rng.uniform(0.62, 1.0), 0.9 * min(canvas)) for concept in things}
    low, high = (0.4, 0.65) if overlapping else (0.85, math.inf)
    best, best_gap = None, -math.inf
    for _ in range(24):
        drawings = [_anywhere(canvas, concept, sides[concept] * rng.uniform(0.9, 1.08), rng) for concept in things]
        gap = min(_apart(a, b) for number, a in enumerate(drawings) for b in drawings[:number])
        if low <= gap <= high:
            return drawings
        # Touching too much counts less than lying too far apart.
        if min(gap, high) - max(0.0, gap - high) > best_gap:
            best, best_gap = drawings, min(gap, high) - max(0.0, gap - high)
    return best or []


def _anywhere(canvas: tuple[int, int], concept: int, side: float, rng: random.Random) -> Drawing:
    return Drawing(
        concept=concept,
        x=rng.uniform(0.47 * side, canvas[0] - 0.47 * side),
        y=rng.uniform(0.47 * side, canvas[1] - 0.47 * side),
        side=side,
        tilt=_turn(rng),
        mirrored=rng.random() < 0.5,
    )


def _apart(one: Drawing, other: Drawing) -> float:
    """The distance of two centres, in sides."""
    return math.hypot(one.x - other.x, one.y - other.y) / ((one.side + other.side) / 2)
