"""What members write into a prompt: `{red|blue}` for two prompts, `<lora:name:0.8>` for a LoRA, `@rex` for a subject.

Weights such as `(word:1.2)` are checked here and stay in the prompt; the encode stage reads them.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import LoraUse
from pipeline.text.prompt_weights import read_weights

MAX_PROMPTS: Final = 16

_LORA: Final = re.compile(r"<lora:([^<>:]{1,64})(?::(-?\d{1,3}(?:\.\d{1,6})?))?>", re.IGNORECASE)
# An address or a mention of a member is none, as what stands in front of it tells, nor is a call to all of a channel.
_SUBJECT: Final = re.compile(
    r"(?<![\w@<.])@(?!(?:everyone|here|channel)\b)([A-Za-z0-9](?:[\w.-]{0,30}[A-Za-z0-9_])?)"
    r"(?::(-?\d{1,2}(?:\.\d{1,6})?))?",
    re.ASCII,
)
_CHOICE: Final = re.compile(r"\{([^{}]*\|[^{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraMention:
    """A LoRA asked for by the guild's own name; without a scale it has the library's."""

    name: str
    scale: float | None = None
    text_encoder_scale: float | None = None


def read_loras(prompt: str) -> tuple[str, tuple[LoraMention, ...]]:
    """The prompt without its `<lora:name:scale>` marks, and what they ask for."""
    mentions = tuple(
        LoraMention(name=match[1].strip(), scale=None if match[2] is None else float(match[2]))
        for match in _LORA.finditer(prompt)
    )
    return " ".join(_LORA.sub(" ", prompt).split()) if mentions else prompt, mentions


def read_subjects(prompt: str) -> tuple[LoraMention, ...]:
    """What `@name` and `@name:scale` ask for; such a mark stands in the prompt where its trigger words belong."""
    found = {
        match[1].casefold(): LoraMention(name=match[1], scale=None if match[2] is None else float(match[2]))
        for match in _SUBJECT.finditer(prompt)
    }
    return tuple(found.values())


def with_words(prompt: str, words: Mapping[str, str]) -> str:
    """The prompt with each `@name` replaced by its words."""
    return _SUBJECT.sub(lambda match: words[match[1].casefold()], prompt)


def expand(prompt: str) -> tuple[str, ...]:
    """Every prompt that `{a|b}` stands for, the last choice changing first; raises InvalidRequest past MAX_PROMPTS."""
    _check_count(math.prod(len(match[1].split("|")) for match in _CHOICE.finditer(prompt)))
    match = _CHOICE.search(prompt)
    if match is None:
        return (prompt,)
    choices = [prompt[: match.start()] + choice.strip() + prompt[match.end() :] for choice in match[1].split("|")]
    prompts = tuple(dict.fromkeys(whole for choice in choices for whole in expand(choice)))
    _check_count(len(prompts))
    return prompts


def check_weights(prompts: Iterable[str], negative_prompt: str) -> None:
    """Refuse a weight that no device would take before it is queued; raises InvalidRequest."""
    for prompt in prompts:
        read_weights(prompt)
    read_weights(negative_prompt, "negative prompt")


def _check_count(count: int) -> None:
    if count > MAX_PROMPTS:
        raise InvalidRequest("prompt", f"The prompt stands for {count} prompts; the limit is {MAX_PROMPTS}.")


def mentions_text(loras: Sequence[LoraUse]) -> str:
    """The option's text that asks for `loras` again."""
    return " ".join(_mention_text(lora) for lora in loras)


def _mention_text(lora: LoraUse) -> str:
    own = "" if lora.text_encoder_scale is None else f":{lora.text_encoder_scale:.10g}"
    return f"{lora.name}:{lora.scale:.10g}{own}"
