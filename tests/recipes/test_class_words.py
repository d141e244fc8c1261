"""Which of WordNet's nouns are taken for things."""

from collections import Counter

import pytest

from recipes.class_words import Nouns, read_uses
from recipes.pocket.synonyms import read_wordnet

INDEX = """\
dog n 2 1 @ 2 1 00000010 00000090
model n 2 1 @ 2 1 00000020 00000090
star n 3 1 @ 3 1 00000021 00000020 00000090
doll n 2 1 @ 2 0 00000020 00000090
cup n 2 1 @ 2 0 00000020 00000040
face n 1 1 @ 1 0 00000080
portrait n 1 1 @ 1 0 00000061
hope n 1 1 @ 1 0 00000040
crew n 1 1 @ 1 0 00000070""".splitlines()
DATA = """\
00000010 05 n 01 dog 0 000 | an animal
00000020 06 n 01 thing 0 000 | a thing
00000021 17 n 01 sun 0 000 | a thing in the sky
00000040 12 n 01 hope 0 000 | a feeling
00000060 06 n 01 picture 0 000 | shows somebody
00000061 06 n 01 portrait 0 001 @ 00000060 n 0000 | shows somebody
00000070 14 n 01 crew 0 000 | a group
00000080 08 n 01 face 0 000 | a part of a body
00000090 18 n 01 somebody 0 000 | a person""".splitlines()
SENSES = """\
dog%1:05:00:: 00000010 1 42
model%1:06:00:: 00000020 1 20
model%1:18:00:: 00000090 2 6
star%1:17:00:: 00000021 1 6
star%1:06:00:: 00000020 2 1
star%1:18:00:: 00000090 3 4
red%3:00:01:: 00000001 1 5
rare%3:00:01:: 00000001 1 0""".splitlines()


@pytest.fixture
def nouns() -> Nouns:
    uses, _ = read_uses(SENSES)
    return Nouns(wordnet=read_wordnet(INDEX, DATA), uses=uses, likenesses=frozenset({"00000060"}))


@pytest.mark.parametrize(
    ("word", "thing"),
    [
        ("dog", True),  # men are called so, and hardly ever meant
        ("cup", True),
        ("model", False),  # somebody is the second sense
        ("star", False),  # somebody is the third sense, and often meant
        ("doll", False),  # nobody counted which is meant
        ("face", False),
        ("portrait", False),
        ("crew", False),
        ("hope", False),
        ("unknown", False),
    ],
)
def test_a_thing_can_be_seen_and_is_never_usually_somebody(nouns: Nouns, word: str, *, thing: bool) -> None:
    assert nouns.is_thing(word) is thing


def test_uses_are_counted_by_sense_and_adjectives_where_they_were_met() -> None:
    uses, adjectives = read_uses(SENSES)
    assert uses == Counter(
        {("dog", 1): 42, ("model", 1): 20, ("model", 2): 6, ("star", 1): 6, ("star", 2): 1, ("star", 3): 4}
    )
    assert adjectives == {"red"}
