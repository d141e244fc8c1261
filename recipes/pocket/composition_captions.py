"""The words that describe a composed scene, said in many ways and never in full detail."""

import random

from recipes.pocket.captions import BACKGROUND_NAMES, STYLE_NAMES
from recipes.pocket.composition import Composition, Drawing
from recipes.pocket.scenes import Concept

DROP_STYLE = 0.15
DROP_BACKGROUND = 0.2
DROP_ALL = 0.1
DROP_SUBJECT = 0.05
SAY_PLACE = 0.35
_NUMBERS = {1: ("one",), 2: ("two", "2"), 3: ("three", "3"), 4: ("four", "4")}
_SAME_IN_PLURAL = (
    *(
        "bacon",
        "bread",
        "broccoli",
        "corn",
        "cherries",
        "blueberries",
        "grapes",
        "spaghetti",
        "sushi",
        "popcorn",
        "garlic",
    ),
    *("salad", "lightning", "fire", "deer", "fish", "shrimp", "squid", "jeans", "glasses", "sunglasses", "scissors"),
    *("headphones", "books", "pancakes", "fries"),
)
_IRREGULAR = {
    "mouse": "mice",
    "wolf": "wolves",
    "goose": "geese",
    "tooth": "teeth",
    "leaf": "leaves",
    "knife": "knives",
}


def plural(words: str) -> str:
    """Several of what the words name."""
    *before, last = words.split(" ")
    return " ".join([*before, _plural_word(last)])


def _plural_word(word: str) -> str:
    if word in _SAME_IN_PLURAL:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(("s", "x", "ch", "sh", "z")) or word in {"potato", "tomato", "mango", "volcano"}:
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def full_caption(scene: Composition, concepts: list[Concept]) -> str:
    """Things with their numbers, style and background, in the usual words and order."""
    named = [_usual(group, concepts[group[0].concept].words[0]) for group in scene.groups]
    return ", ".join([_joined(named), f"{STYLE_NAMES[scene.style]} style", f"{_colours(scene)} background"])


def _usual(group: list[Drawing], word: str) -> str:
    return word if len(group) == 1 else f"{_NUMBERS[len(group)][0]} {plural(word)}"


def training_caption(scene: Composition, concepts: list[Concept], rng: random.Random) -> str | None:
    """A random caption, sometimes of a part only, or empty; None is the unconditional one of guidance."""
    if rng.random() < DROP_ALL:
        return rng.choice((None, ""))
    subject = "" if rng.random() < DROP_SUBJECT else _subject(scene, concepts, rng)
    style = "" if rng.random() < DROP_STYLE else f"{STYLE_NAMES[scene.style]} style"
    background = "" if rng.random() < DROP_BACKGROUND else _background(scene, rng)
    parts = [part for part in (subject, style, background) if part]
    if rng.random() < 0.12:
        rng.shuffle(parts)
    if subject and background and rng.random() < 0.12:
        return f"{style} {subject} on a {background}".strip()
    return (", " if rng.random() < 0.9 else " ").join(parts)


def _colours(scene: Composition) -> str:
    first, second = BACKGROUND_NAMES[scene.backdrop.first], BACKGROUND_NAMES[scene.backdrop.second]
    return first if scene.backdrop.is_plain else f"{first} and {second}"


def _background(scene: Composition, rng: random.Random) -> str:
    if not scene.backdrop.is_plain and scene.backdrop.softness > 0.5 and rng.random() < 0.3:
        return f"{_colours(scene)} gradient background"
    return f"{_colours(scene)} background"


def _subject(scene: Composition, concepts: list[Concept], rng: random.Random) -> str:
    groups = scene.groups
    articles = rng.random() < (0.3 if len(groups) == 1 else 0.7)
    named = [_named(group, concepts[group[0].concept], rng, articles=articles) for group in groups]
    if len(groups) == 1:
        return _with_place(named[0], scene, rng)
    if len(scene.drawings) == 2 and rng.random() < 0.5:
        return _related(named, scene, rng)
    row = " in a row" if scene.in_a_row and scene.width >= scene.height and rng.random() < 0.3 else ""
    return _joined(rng.sample(named, len(named))) + row


def _joined(named: list[str]) -> str:
    if len(named) < 3:
        return " and ".join(named)
    return ", ".join(named[:-1]) + " and " + named[-1]


def _named(group: list[Drawing], concept: Concept, rng: random.Random, *, articles: bool) -> str:
    word = rng.choice(concept.words) if rng.random() < 0.3 else concept.words[0]
    if len(group) > 1:
        return f"{rng.choice(_NUMBERS[len(group)])} {plural(word)}"
    if not articles:
        return word
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _with_place(named: str, scene: Composition, rng: random.Random) -> str:
    if len(scene.drawings) > 1:
        row = scene.in_a_row and scene.width >= scene.height and rng.random() < 0.3
        return named + " in a row" if row else named
    drawing = scene.drawings[0]
    share = drawing.side / min(scene.width, scene.height)
    if rng.random() < SAY_PLACE:
        if share < 0.62:
            named = _adjective("small", named)
        elif share > 0.86:
            named = _adjective(rng.choice(("big", "large")), named)
    if abs(drawing.tilt) > 0.25 and rng.random() < SAY_PLACE:
        named = _adjective("tilted", named)
    if rng.random() < SAY_PLACE:
        named += _place(drawing, scene)
    return named


def _adjective(word: str, named: str) -> str:
    article, _, rest = named.partition(" ")
    if article in {"a", "an"} and rest:
        return f"a {word} {rest}"
    return f"{word} {named}"


def _place(drawing: Drawing, scene: Composition) -> str:
    across, down = drawing.x / scene.width - 0.5, drawing.y / scene.height - 0.5
    if max(abs(across), abs(down)) < 0.04:
        return " in the middle"
    if abs(across) > max(abs(down), 0.12):
        return " on the left" if across < 0 else " on the right"
    if abs(down) > 0.12:
        return " at the top" if down < 0 else " at the bottom"
    return ""


def _related(named: list[str], scene: Composition, rng: random.Random) -> str:
    """Two things and their relation; `named` follows the order in which they are painted."""
    first, second = scene.drawings
    if scene.in_front is not None:
        front, behind = named[scene.in_front], named[1 - scene.in_front]
        return rng.choice((f"{front} in front of {behind}", f"{behind} behind {front}"))
    across, down = second.x - first.x, second.y - first.y
    if abs(across) > abs(down):
        left, right = (named[0], named[1]) if across > 0 else (named[1], named[0])
        to = rng.choice(("left of", "next to"))
        return f"{left} {to} {right}" if to == "next to" or rng.random() < 0.5 else f"{right} right of {left}"
    top, bottom = (named[0], named[1]) if down > 0 else (named[1], named[0])
    return rng.choice((f"{top} above {bottom}", f"{bottom} below {top}"))
