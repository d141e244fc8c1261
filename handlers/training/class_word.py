"""What a subject is, in one to three words: any thing that is known to be nobody, else as an admin decides."""

import re
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from handlers.commands.call import Caller
from handlers.commands.permissions import NotAllowed
from pipeline.errors import InvalidRequest

LIST: Final = "class_words.txt"
"""Made by `python -m recipes.class_words`; its head says from what, and under which licence."""

_CLASS: Final = re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+){0,2}")
_MOST_CHARACTERS: Final = 40
_ENDINGS: Final = (
    ("ies", "y"), ("ves", "f"), ("ves", "fe"), ("mice", "mouse"), ("geese", "goose"), ("oxen", "ox"), ("i", "us"),
    ("es", ""), ("s", ""),
)  # fmt: skip
"""How plurals end, and what then stands in the singular."""


class Words(NamedTuple):
    """What the list holds: things that an image can show and that are nobody, and words that only describe them."""

    things: frozenset[str]
    describing: frozenset[str]


def read_class_word(text: str, *, agreed: bool | None, caller: Caller) -> str:
    """What the subject is; raises UserError for a sentence, and for people where they may not be learnt.

    What is not on the list may be a person, in whatever language: where people may not be learnt an admin may name it,
    and where they may, anyone who says that the person agreed.
    """
    word = text.strip().lower()
    if not _CLASS.fullmatch(word) or len(word) > _MOST_CHARACTERS:
        raise InvalidRequest("class", "The class is one to three words for what it is, such as dog, or coffee mug.")
    if is_thing(word):
        return word
    if not caller.guild.settings.people:
        if caller.member.is_admin:
            return word
        raise NotAllowed(
            f"Training on people is off here, and '{word}' may be a person: use a common English word for a thing; "
            "an admin can allow it with /settings --people on, or order this themselves."
        )
    if not agreed:
        raise InvalidRequest(
            "agreed", f"'{word}' may be a person; say with the option agreed that the person agreed to be learnt."
        )
    return word


def is_thing(text: str) -> bool:
    """Whether the last of the words is surely a thing, and none before it a person."""
    words = class_words()
    *before, head = re.split(r"[ -]", text)
    return _is_among(head, words.things) and all(
        word in words.describing or _is_among(word, words.things) for word in before
    )


def _is_among(word: str, things: frozenset[str]) -> bool:
    return word in things or any(single in things for single in singulars(word))


def singulars(word: str) -> list[str]:
    """What the word may be the plural of."""
    return [word.removesuffix(ending) + single for ending, single in _ENDINGS if word.endswith(ending)]


@cache
def class_words() -> Words:
    """The words of the list, which is read once."""
    found: dict[str, list[str]] = {}
    section: list[str] = []
    for line in files(__package__).joinpath(LIST).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            section += line.split()
    return Words(things=frozenset(found["things"]), describing=frozenset(found["describing"]))
