"""The words that describe a scene: `red apple, flat style, blue background`, with parts left out at random."""

import random
from dataclasses import dataclass

from recipes.pocket.scenes import BACKGROUNDS, STYLES, Concept, Scene

STYLE_NAMES = tuple(STYLES)
BACKGROUND_NAMES = tuple(BACKGROUNDS)

DROP_STYLE = 0.15
DROP_BACKGROUND = 0.15
DROP_ALL = 0.10
WITH_ARTICLE = 0.10
OTHER_WORD = 0.30


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A caption and what it names; a part that it leaves out is None."""

    text: str
    concept: int | None
    style: int | None
    background: int | None

    def describes(self, scene: Scene) -> bool:
        """Whether nothing that the caption says contradicts the scene."""
        return (
            self.concept in {None, scene.concept}
            and self.style in {None, scene.style}
            and self.background in {None, scene.background}
        )


def full_caption(scene: Scene, concept: Concept) -> str:
    """The caption that says everything, in the usual words."""
    return f"{concept.words[0]}, {STYLE_NAMES[scene.style]} style, {BACKGROUND_NAMES[scene.background]} background"


def random_caption(scene: Scene, concept: Concept, rng: random.Random) -> Caption:
    """A caption that sometimes leaves out the style or the background, but always names the concept."""
    word = rng.choice(concept.words) if rng.random() < OTHER_WORD else concept.words[0]
    if rng.random() < WITH_ARTICLE:
        word = f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
    style = None if rng.random() < DROP_STYLE else scene.style
    background = None if rng.random() < DROP_BACKGROUND else scene.background
    parts = [word]
    if style is not None:
        parts.append(f"{STYLE_NAMES[style]} style")
    if background is not None:
        parts.append(f"{BACKGROUND_NAMES[background]} background")
    return Caption(text=", ".join(parts), concept=scene.concept, style=style, background=background)


def training_caption(scene: Scene, concept: Concept, rng: random.Random) -> Caption:
    """As `random_caption`, and the whole caption left out 10 % of the time, for classifier-free guidance."""
    if rng.random() < DROP_ALL:
        return Caption(text="", concept=None, style=None, background=None)
    return random_caption(scene, concept, rng)
