"""Which words stand for which drawings."""

import pytest

from recipes.pocket.scenes import Concept
from recipes.pocket.synonyms import WordNet, from_keywords, from_wordnet, read_wordnet

CONCEPTS = [
    Concept(icon="dog-face", words=("dog",)),
    Concept(icon="automobile", words=("red car", "car")),
    Concept(icon="sailboat", words=("sailboat",)),
]
INDEX = """\
  1 a licence
dog n 2 1 @ 2 1 00000010 00000090
corgi n 1 1 @ 1 0 00000011
pembroke_corgi n 1 1 @ 1 0 00000012
car n 1 1 @ 1 1 00000020
auto n 1 1 @ 1 1 00000020
sailboat n 1 1 @ 1 1 00000030
boat n 1 1 @ 1 1 00000031
hope n 1 0 1 1 00000040
sedan n 1 0 1 1 00000050""".splitlines()
DATA = """\
  1 a licence
00000010 05 n 01 dog 0 000 | a dog
00000011 05 n 01 corgi 0 001 @ 00000010 n 0000 | a dog
00000012 05 n 01 Pembroke_corgi 0 001 @ 00000011 n 0000 | a dog
00000020 06 n 02 car 0 auto 0 000 | a car
00000030 06 n 01 sailboat 0 002 ~ 00000099 n 0000 @ 00000031 n 0000 | a boat
00000031 06 n 01 boat 0 000 | a boat
00000040 12 n 01 hope 0 000 | a feeling
00000050 06 n 01 sedan 0 000 | a chair
00000090 18 n 01 dog 0 000 | a man""".splitlines()


@pytest.fixture
def wordnet() -> WordNet:
    return read_wordnet(INDEX, DATA)


def test_kinds_synonyms_and_more_general_words_stand_for_the_nearest_drawing(wordnet: WordNet) -> None:
    """A corgi is a dog, an auto a car, and a sailboat the example of a boat; words that are known need none."""
    assert from_wordnet(wordnet, CONCEPTS) == {
        "corgi": "dog",
        "pembroke corgi": "dog",
        "auto": "red car",
        "boat": "sailboat",
    }


def test_keywords_count_where_one_emoji_alone_has_them_and_they_are_things(wordnet: WordNet) -> None:
    """Not a feeling, and not what two emoji share."""
    keywords = [["automobile", "sedan", "hope", "boat"], ["sailboat", "boat"], ["dog_face", "dog"]]

    assert from_keywords(keywords, wordnet, CONCEPTS) == {"sedan": "red car"}
