"""What the recipe shows and how it words it."""

import random

from recipes.pocket.captions import full_caption, random_caption, training_caption
from recipes.pocket.scenes import BACKGROUNDS, STYLES, Scene, concepts, is_held_out, scenes
from recipes.pocket.text_training import random_scenes

CONCEPTS = concepts()
FOX = next(index for index, concept in enumerate(CONCEPTS) if concept.icon == "fox")


def test_concepts_have_distinct_icons_and_distinct_words() -> None:
    """No word names two concepts, so that a prompt never means two things."""
    words = [word for concept in CONCEPTS for word in concept.words]

    assert len(CONCEPTS) >= 300
    assert len({concept.icon for concept in CONCEPTS}) == len(CONCEPTS)
    assert len(set(words)) == len(words)


def test_one_combination_in_ten_is_held_out_and_every_concept_style_and_background_is_seen() -> None:
    """Held-out combinations are spread so thinly that each of their parts is still learned."""
    everything = list(scenes(len(CONCEPTS)))
    seen = [scene for scene in everything if not is_held_out(scene)]

    assert 0.08 < 1 - len(seen) / len(everything) < 0.12
    assert {(scene.concept, scene.style) for scene in seen} == {(s.concept, s.style) for s in everything}
    assert {(scene.concept, scene.background) for scene in seen} == {(s.concept, s.background) for s in everything}


def test_training_never_draws_a_held_out_scene() -> None:
    """Not one of many random batches holds a combination that evaluation asks for."""
    rng = random.Random(0)  # noqa: S311 (chance, not secrecy)

    drawn = [scene for _ in range(50) for scene in random_scenes(len(CONCEPTS), 64, rng)]

    assert not any(is_held_out(scene) for scene in drawn)


def test_full_caption_names_concept_style_and_background() -> None:
    """The usual words, in the usual order."""
    scene = Scene(concept=FOX, style=list(STYLES).index("glossy"), background=list(BACKGROUNDS).index("teal"))

    assert full_caption(scene, CONCEPTS[FOX]) == "red fox, glossy style, teal background"


def test_random_caption_describes_its_scene_and_says_what_it_leaves_out() -> None:
    """A caption never contradicts its scene, and fits others only where it is silent."""
    rng = random.Random(0)  # noqa: S311 (chance, not secrecy)
    scene = Scene(concept=FOX, style=1, background=2)
    other = Scene(concept=FOX, style=1, background=3)

    for _ in range(200):
        caption = random_caption(scene, CONCEPTS[FOX], rng)
        assert caption.describes(scene)
        assert caption.describes(other) == (caption.background is None)
        assert ("style" in caption.text) == (caption.style is not None)
        assert ("background" in caption.text) == (caption.background is not None)


def test_training_caption_is_empty_one_time_in_ten() -> None:
    """Guidance needs images without words."""
    rng = random.Random(0)  # noqa: S311 (chance, not secrecy)
    scene = Scene(concept=FOX, style=0, background=0)

    texts = [training_caption(scene, CONCEPTS[FOX], rng).text for _ in range(2000)]

    assert 0.07 < texts.count("") / len(texts) < 0.13
