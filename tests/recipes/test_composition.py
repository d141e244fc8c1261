"""Composed scenes: what is said of them, where things lie, and what is painted."""

import random

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from recipes.pocket.aspects import PRESETS, SHARES
from recipes.pocket.canvas import masks, paint
from recipes.pocket.composed_batch import Words, as_batch
from recipes.pocket.composition import MOST_DRAWINGS, Backdrop, Composition, Drawing, composition, is_unseen
from recipes.pocket.composition_captions import full_caption, plural, training_caption
from recipes.pocket.drawings import SIDE, Drawings, as_drawings
from recipes.pocket.export import SHIPPED
from recipes.pocket.scenes import BACKGROUNDS, STYLES, concepts

CONCEPTS = concepts()
FOX, APPLE = (next(number for number, one in enumerate(CONCEPTS) if one.icon == icon) for icon in ("fox", "red-apple"))
FLAT = list(STYLES).index("flat")
TEAL, WHITE = (list(BACKGROUNDS).index(name) for name in ("teal", "white"))


def dice(seed: int = 0) -> random.Random:
    return random.Random(seed)  # noqa: S311 (chance, not secrecy)


@pytest.fixture(scope="module")
def words() -> Words:
    return Words(CLIPTokenizer.from_pretrained(SHIPPED / "tokenizer"))


def squares(count: int) -> Drawings:
    """As many drawings in each style, each a full square of another gray."""
    tiles = torch.full((count * len(STYLES), 4, SIDE, SIDE), 255, dtype=torch.uint8)
    for number, tile in enumerate(tiles):
        tile[:3] = 20 * (number // len(STYLES) + 1)
    return as_drawings(tiles)


def scene(*drawings: Drawing, width: int = 128, height: int = 96, back: Backdrop | None = None) -> Composition:
    return Composition(
        width=width,
        height=height,
        style=FLAT,
        backdrop=back or Backdrop(first=TEAL, second=TEAL),
        drawings=drawings,
    )


@pytest.mark.parametrize("size", [*PRESETS.values()], ids=[*PRESETS])
def test_every_preset_gets_scenes_whose_things_are_in_the_image(size: tuple[int, int], words: Words) -> None:
    """At least half of each drawing's square lies inside, whatever was cut off, and all are seen in part."""
    rng = dice()
    scenes = [composition(size, 4, rng) for _ in range(60)]

    seen = masks(squares(4), as_batch(scenes, [None] * len(scenes), words))

    assert size in SHARES
    for one, layers in zip(scenes, seen, strict=True):
        assert (one.width, one.height) == size
        assert 1 <= len(one.drawings) <= MOST_DRAWINGS
        for drawing, layer in zip(one.drawings, layers, strict=False):
            assert layer.sum() > 0.1 * drawing.side**2
        assert layers[len(one.drawings) :].sum() == 0


def test_counts_and_numbers_of_things_vary() -> None:
    """Half the scenes show one thing; others show up to four, of up to three kinds."""
    rng = dice()
    shapes = [tuple(sorted(map(len, composition((128, 128), 331, rng).groups))) for _ in range(2000)]

    assert 0.4 < shapes.count((1,)) / len(shapes) < 0.6
    assert {(2,), (3,), (4,), (1, 1), (1, 2), (1, 3), (1, 1, 1)} <= set(shapes)


def test_training_never_sees_what_is_kept_from_it() -> None:
    """Neither a combination of concept, style and colour, nor a pair of things."""
    rng = dice()

    for seen in (True, False):
        drawn = [composition((128, 128), len(CONCEPTS), rng, seen=seen) for _ in range(200)]
        kept = [is_unseen([group[0].concept for group in one.groups], one.style, one.backdrop) for one in drawn]
        assert kept == [not seen] * 200


def test_full_caption_says_numbers_things_style_and_both_colours() -> None:
    """The usual words in the usual order."""
    apples = [Drawing(concept=APPLE, x=x, y=50, side=30) for x in (20, 50, 80)]
    fox = Drawing(concept=FOX, x=110, y=50, side=30)

    assert full_caption(scene(*apples, fox), CONCEPTS) == "three red apples and red fox, flat style, teal background"
    both = Backdrop(first=TEAL, second=WHITE)
    assert full_caption(scene(fox, back=both), CONCEPTS) == "red fox, flat style, teal and white background"


def test_captions_never_contradict_the_layers() -> None:
    """Numbers, sides, front and back are said only where they are so."""
    rng = dice()
    left, right = Drawing(concept=APPLE, x=30, y=48, side=40), Drawing(concept=FOX, x=100, y=48, side=40)
    single = Drawing(concept=FOX, x=25, y=48, side=40)
    texts = [training_caption(scene(left, right), CONCEPTS, rng) or "" for _ in range(400)]
    alone = [training_caption(scene(single), CONCEPTS, rng) or "" for _ in range(400)]

    assert any("apple left of" in text for text in texts)
    assert not any("fox left of" in text or "apple right of" in text or "front" in text for text in texts)
    assert any("on the left" in text for text in alone)
    assert any("small" in text for text in alone)
    assert not any("on the right" in text or "big" in text or "two" in text for text in alone)
    front = [training_caption(scene_in_front(left, right), CONCEPTS, rng) or "" for _ in range(400)]
    assert any("fox in front of" in text for text in front)
    assert not any("apple in front of" in text for text in front)


def scene_in_front(behind: Drawing, front: Drawing) -> Composition:
    return Composition(
        width=128,
        height=96,
        style=FLAT,
        backdrop=Backdrop(first=TEAL, second=TEAL),
        drawings=(behind, front),
        in_front=1,
    )


def test_words_go_missing_and_guidance_gets_images_without() -> None:
    """One caption in ten is empty, half of these are left out altogether; style and background are often unsaid."""
    rng = dice()
    one = scene(Drawing(concept=FOX, x=64, y=48, side=70))
    texts = [training_caption(one, CONCEPTS, rng) for _ in range(3000)]

    assert 0.03 < texts.count(None) / len(texts) < 0.07
    assert 0.03 < texts.count("") / len(texts) < 0.08
    said = [text for text in texts if text]
    assert 0.1 < sum("style" not in text for text in said) / len(said) < 0.2
    assert any("fox" not in text for text in said)
    assert any(text.startswith("teal background") for text in said)


@pytest.mark.parametrize(
    ("one", "several"),
    [("red fox", "red foxes"), ("mouse", "mice"), ("cherry blossom", "cherry blossoms"), ("teddy bear", "teddy bears"),
     ("fish", "fish"), ("penguin", "penguins"), ("strawberry", "strawberries"), ("french fries", "french fries")],
)  # fmt: skip
def test_plural(one: str, several: str) -> None:
    """Of the words' last alone."""
    assert plural(one) == several


def test_later_drawings_cover_earlier_ones_at_their_place() -> None:
    """The layers' masks and the image agree with the places."""
    behind = Drawing(concept=0, x=40, y=48, side=40)
    front = Drawing(concept=1, x=60, y=48, side=40)
    batch = as_batch([scene(behind, front)], [None], Words(CLIPTokenizer.from_pretrained(SHIPPED / "tokenizer")))

    seen, shown = masks(squares(2), batch)[0], (paint(squares(2), batch)[0] + 1) / 2

    assert seen[0, 48, 30] == seen[1, 48, 50] == 1
    assert seen[0, 48, 50] == seen[1, 48, 30] == 0
    assert shown[0, 48, 30] == pytest.approx(20 / 255, abs=1e-3)
    assert shown[0, 48, 50] == pytest.approx(40 / 255, abs=1e-3)
    assert shown[:, 5, 5].tolist() == pytest.approx([part / 255 for part in BACKGROUNDS["teal"]], abs=1e-3)


def test_two_colours_meet_and_one_stays_plain() -> None:
    """Top to bottom at a right angle."""
    back = Backdrop(first=TEAL, second=WHITE, angle=np.pi / 2)
    batch = as_batch(
        [scene(back=back), scene()], [None, None], Words(CLIPTokenizer.from_pretrained(SHIPPED / "tokenizer"))
    )

    both, plain = (paint(squares(1), batch) + 1) / 2

    assert both[:, 5, 60].tolist() == pytest.approx([part / 255 for part in BACKGROUNDS["teal"]], abs=1e-3)
    assert both[:, 90, 60].tolist() == pytest.approx([part / 255 for part in BACKGROUNDS["white"]], abs=1e-3)
    assert plain.flatten(1).std(dim=1).max() < 1e-3


def test_size_numbers_tell_the_truth() -> None:
    """Of a crop, and of an image that was enlarged."""
    one = Composition(
        width=128, height=96, style=0, backdrop=Backdrop(first=0, second=0), drawings=(), crop=(4, 7), coarseness=2
    )

    assert one.size_numbers == (55, 68, 7, 4, 96, 128)


def test_token_ids_are_the_pipelines(words: Words) -> None:
    """Word by word gives what the tokenizer gives for the whole."""
    tokenizer, rng = CLIPTokenizer.from_pretrained(SHIPPED / "tokenizer"), dice()
    texts = [training_caption(composition((128, 128), len(CONCEPTS), rng), CONCEPTS, rng) or "" for _ in range(200)]

    assert [words.ids(text) for text in texts] == tokenizer(texts, padding="max_length").input_ids
