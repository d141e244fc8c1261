"""What members write into a prompt: `{red|blue}` for two prompts, `@rex` for a subject; tags of LoRAs are `tags`'.

Weights such as `(word:1.2)` and changes such as `[red:blue:0.5]` stay in the prompt; the encode stage reads them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from handlers.prompts.tags import LoraMention
from pipeline.errors import InvalidRequest
from pipeline.requests.decimal_text import decimal_text
from pipeline.requests.image_request import LoraUse

MAX_PROMPTS: Final = 16

# An address or a mention of a member is none, as what stands in front of it tells, nor is a call to all of a channel.
_SUBJECT: Final = re.compile(
    r"(?<![\w@<.])@(?!(?:everyone|here|channel)\b)([A-Za-z0-9](?:[\w.-]{0,30}[A-Za-z0-9_])?)"
    r"(?::([+-]?(?:\d{1,6}(?:\.\d{1,20})?|\.\d{1,20}))(:[+-]?\.?\d)?)?",
    re.ASCII,
)
_MARKS: Final = re.compile(r"(\\[\[\]\\]|[{|}\[\]])")
_MOST_COUNTED: Final = 1_000_000


def read_subjects(prompt: str) -> tuple[LoraMention, ...]:
    """What `@name` and `@name:scale` ask for; such a mark stands in the prompt where its trigger words belong.

    Raises InvalidRequest for one with a second scale, which subjects have not.
    """
    if several := next((match for match in _SUBJECT.finditer(prompt) if match[3]), None):
        raise InvalidRequest("prompt", f"@{several[1]} takes one scale; write @{several[1]}:0.8.")
    found = {
        match[1].casefold(): LoraMention(name=match[1], scale=None if match[2] is None else float(match[2]))
        for match in _SUBJECT.finditer(prompt)
    }
    return tuple(found.values())


def subject_names(prompt: str) -> frozenset[str]:
    """The names in its `@name`s."""
    return frozenset(match[1].casefold() for match in _SUBJECT.finditer(prompt))


def without_scales(prompt: str) -> str:
    """The prompt with `@name` for each `@name:scale`."""
    return _SUBJECT.sub(lambda match: f"@{match[1]}", prompt)


def refuse_subjects(negative_prompt: str) -> None:
    """Raise InvalidRequest where a negative prompt names a subject, which is of the image."""
    if match := _SUBJECT.search(negative_prompt):
        raise InvalidRequest("negative", f"@{match[1]} stands in the negative prompt; name a subject in the prompt.")


def with_words(prompt: str, words: Mapping[str, str]) -> str:
    """The prompt with each `@name` replaced by its words."""
    return _SUBJECT.sub(lambda match: words[match[1].casefold()], prompt)


@dataclass(frozen=True, slots=True)
class _Choice:
    """A `{a|b}`: its alternatives, each of texts and further choices, and how many texts it stands for."""

    alternatives: tuple[tuple["_Part", ...], ...]
    count: int

    def texts(self) -> list[str]:
        """Every text that it stands for."""
        return [text.strip() for parts in self.alternatives for text in _texts(parts)]


_Part = str | _Choice


def expand(prompt: str) -> tuple[str, ...]:
    """Every prompt that `{a|b}` stands for, the last choice changing first; raises InvalidRequest past MAX_PROMPTS.

    They are counted before the first is made: a short prompt can stand for more than a machine could hold.
    """
    parts = _parts(prompt)
    count = _count(parts)
    if count > MAX_PROMPTS:
        words = f"more than {_MOST_COUNTED:,}" if count > _MOST_COUNTED else count
        raise InvalidRequest("prompt", f"The prompt stands for {words} prompts; the limit is {MAX_PROMPTS}.")
    return tuple(dict.fromkeys(_texts(parts)))


def _parts(prompt: str) -> tuple[_Part, ...]:
    """The prompt's texts and choices; a brace without its partner, or around no bar, is text.

    A bar in square brackets is theirs: `[a|b]` changes between the steps of one image.
    """
    parts: list[_Part] = []
    # For every open brace or bracket: where it and its bars stand in `parts`. No recursion, since they may be nested at
    # will.
    unclosed: list[list[int]] = []
    for text in _MARKS.split(prompt):
        if text in ("{", "["):
            unclosed.append([len(parts)])
        elif text == "|" and unclosed:
            unclosed[-1].append(len(parts))
        elif text == "]" and unclosed and parts[unclosed[-1][0]] == "[":
            unclosed.pop()
        elif text == "}" and len(marks := _braced(parts, unclosed)) > 1:
            ends = [*marks[1:], len(parts)]
            found = tuple(tuple(parts[mark + 1 : end]) for mark, end in zip(marks, ends, strict=True))
            parts[marks[0] :] = [_Choice(found, min(sum(map(_count, found)), _MOST_COUNTED + 1))]
            continue
        parts.append(text)
    return tuple(parts)


def _braced(parts: Sequence[_Part], unclosed: list[list[int]]) -> list[int]:
    """The places of the innermost open brace and its bars; those of brackets that are never closed are its own."""
    bars: list[int] = []
    while unclosed:
        place, *own = unclosed.pop()
        bars = [*own, *bars]
        if parts[place] == "{":
            return [place, *bars]
    return []


def _count(parts: Iterable[_Part]) -> int:
    """How many texts `parts` stand for, up to one more than is counted."""
    count = 1
    for part in parts:
        if isinstance(part, _Choice):
            count = min(count * part.count, _MOST_COUNTED + 1)
    return count


def _texts(parts: Iterable[_Part]) -> list[str]:
    return ["".join(texts) for texts in product(*([part] if isinstance(part, str) else part.texts() for part in parts))]


def mentions_text(loras: Sequence[LoraUse]) -> str:
    """The option's text that asks for `loras` again."""
    return " ".join(_mention_text(lora) for lora in loras)


def _mention_text(lora: LoraUse) -> str:
    if lora.blocks is not None or lora.window is not None:
        return lora.tag
    own = "" if lora.text_encoder_scale is None else f":{decimal_text(lora.text_encoder_scale)}"
    return f"{lora.name}:{decimal_text(lora.scale)}{own}"
