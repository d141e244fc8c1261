"""Which words are surely things: never a person, in whatever language."""

from typing import Final

import pytest

from handlers.training.class_word import class_words, is_thing

THINGS: Final = [
    "dog", "cat", "fox", "bear", "horse", "rabbit",
    "corgi", "dachshund", "parrot", "penguin", "elephant", "whale",
    "tiger", "butterfly", "octopus", "dragon", "robot",
    "car", "truck", "bicycle", "motorcycle", "train", "boat",
    "helicopter", "castle", "tower", "bridge", "lighthouse",
    "church", "chair", "lamp", "mug", "teapot", "bottle",
    "vase", "bowl", "backpack", "shoe", "sneaker", "hat",
    "scarf", "dress", "watch", "ring", "camera", "computer",
    "guitar", "piano", "book", "toy", "doll", "statue", "tree", "rose", "cactus", "mushroom", "apple", "cake",
    "pizza", "mountain", "volcano", "candle", "umbrella", "sunglasses", "plushie", "moon",
]  # fmt: skip
PLURALS: Final = [
    "dogs", "cats", "foxes", "wolves", "knives", "mice",
    "geese", "shoes", "boxes", "berries", "cacti", "churches",
]  # fmt: skip
SEVERAL: Final = [
    "coffee mug", "red car", "wooden chair", "old house", "teddy bear", "golden retriever", "fluffy cat",
    "rubber duck", "hot-air balloon", "electric guitar", "alarm clock", "two dogs",
]  # fmt: skip
PEOPLE: Final = [
    "actress", "actor", "woman", "man", "girl",
    "boy", "politician", "president", "nurse", "doctor", "teacher",
    "model", "celebrity", "star", "babe", "hunk", "queen",
    "king", "witch", "blonde", "redhead", "child", "baby",
    "kid", "toddler", "teenager", "lady", "guy", "dude",
    "human", "person", "bride", "groom", "soldier", "pirate",
    "princess", "dancer", "singer", "twin", "sister",
    "mother", "wife", "husband", "boss", "influencer", "streamer",
    "daddy", "hottie", "mujer", "hombre", "chica", "niño", "actriz", "señora", "frau", "mann", "mädchen",
    "schauspielerin", "femme", "fille", "garçon", "homme",
    "donna", "ragazza", "uomo", "mulher", "menina", "rapaz",
    "vrouw", "meisje", "kvinna", "flicka", "kobieta", "dziewczyna",
    "женщина", "девушка", "мужчина", "女人", "女孩", "男人",
    "女の子", "여자", "face", "head", "body", "hair",
    "selfie", "portrait", "nude", "people", "family", "crowd", "couple",
    "zorblax",
]  # fmt: skip
PLURALS_OF_PEOPLE: Final = [
    "women", "men", "girls", "boys", "actresses",
    "politicians", "children", "babies", "ladies", "wives", "kids",
    "models",
]  # fmt: skip
WITH_PEOPLE: Final = [
    "girl dog", "dog girl", "woman statue", "red woman", "old man", "young lady", "doll girl", "human face",
    "dog-woman", "beautiful actress", "mujer robot", "robot mujer", "blonde doll",
]  # fmt: skip


@pytest.mark.parametrize("word", [*THINGS, *PLURALS, *SEVERAL])
def test_a_thing_is_one_in_any_number(word: str) -> None:
    """The last word says what it is, those before it only what it is like."""
    assert is_thing(word)


@pytest.mark.parametrize("word", [*PEOPLE, *PLURALS_OF_PEOPLE, *WITH_PEOPLE])
def test_nobody_is_a_thing(word: str) -> None:
    """Nor a part of somebody, a likeness, or what no list knows."""
    assert not is_thing(word)


def test_the_list_is_small_and_of_words_alone() -> None:
    """It is read by every process that talks to members."""
    words = class_words()
    assert 4_000 < len(words.things) < 10_000
    assert words.things.isdisjoint(words.describing)
    assert all(word.isascii() and word.isalpha() and word.islower() for word in (*words.things, *words.describing))
