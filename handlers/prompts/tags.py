"""Tags such as `<lora:name:0.8>` in a prompt, in every form that other programs read; what none of them reads is
refused, so that no tag stays in a prompt unseen.

After the name stand the scales of the text encoders and of the UNet, as AUTOMATIC1111 reads them, or `te=` and
`unet=`. `lbw=` (sd-webui-lora-block-weight) and `in=`, `mid=`, `out=` (SD.Next) weight blocks; `start=`, `stop=` and
`step=` are a window of steps.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.errors import InvalidRequest
from pipeline.requests.step_window import StepWindow

NUMBER: Final = r"[+-]?(?:\d{1,6}(?:\.\d{0,20})?|\.\d{1,20})"

_KINDS: Final = r"lora|lyco|lycoris|locon|hypernet|hypernetwork"
_TAG: Final = re.compile(rf"<\s{{0,8}}(?P<kind>{_KINDS})\s{{0,8}}[:：=](?P<body>[^<>\n]*)(?P<end>>?)", re.IGNORECASE)
# A tag without its first sign, and InvokeAI's form.
_OTHER: Final = re.compile(
    rf"\b(?:{_KINDS})[:：][^\s<>:：,()]{{1,64}}(?:[:：]\s{{0,8}}[+-]?[\d.]|>)"
    rf"|<\s{{0,8}}/?\s{{0,8}}(?:{_KINDS})\b|\b(?:with|use)Lora\s{{0,8}}\(",
    re.IGNORECASE,
)
_INVISIBLE: Final = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad]")
_NUMBER: Final = re.compile(NUMBER, re.ASCII)
_STEPS: Final = re.compile(rf"({NUMBER})-({NUMBER})", re.ASCII)
_BLOCKS: Final = re.compile(r"[\w.,+\- ]{1,200}", re.ASCII)
_SHOWN: Final = 60
_BLOCK_KEYS: Final = ("in", "mid", "out")
_KEYS: Final = frozenset({"te", "unet", "dyn", "lbw", "start", "stop", "step", *_BLOCK_KEYS})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraMention:
    """A LoRA asked for by the guild's own name; without a scale it has the library's.

    `scale` is the UNet's, and the text encoders' too where `text_encoder_scale` is None. `blocks` are a preset's name
    or one weight for each block, as they were written; `window` is None for all steps.
    """

    name: str
    scale: float | None = None
    text_encoder_scale: float | None = None
    blocks: str | None = None
    window: StepWindow | None = None


def read_loras(prompt: str) -> tuple[str, tuple[LoraMention, ...]]:
    """The prompt without its tags, and what they ask for; raises InvalidRequest for one that cannot be applied."""
    prompt = _INVISIBLE.sub("", prompt) if _TAG.search(_INVISIBLE.sub("", prompt)) else prompt
    mentions = tuple(_read(match) for match in _TAG.finditer(prompt))
    words = " ".join(_TAG.sub(" ", prompt).split()) if mentions else prompt
    if other := _OTHER.search(words):
        raise InvalidRequest("prompt", f"'{words[other.start() :][:_SHOWN]}' looks like a LoRA; write <lora:name:0.8>.")
    return words, mentions


def lora_tags(prompt: str) -> frozenset[str]:
    """The tags in a prompt, as they were written."""
    return frozenset(match[0] for match in _TAG.finditer(prompt))


def refuse_loras(negative_prompt: str) -> None:
    """Raise InvalidRequest where a negative prompt holds a tag: a LoRA is of the image, not of one of its prompts."""
    plain = _INVISIBLE.sub("", negative_prompt)
    if found := _TAG.search(plain) or _OTHER.search(plain):
        raise InvalidRequest(
            "negative",
            f"{found[0][:_SHOWN]} stands in the negative prompt; write it in the prompt, below 0 for the opposite.",
        )


def _read(match: re.Match[str]) -> LoraMention:
    written = match[0][:_SHOWN]
    if not match["end"]:
        raise InvalidRequest("prompt", f"The tag {written} is not closed; write <lora:name:0.8>.")
    if match["kind"].casefold().startswith("hyper"):
        raise InvalidRequest("prompt", f"{written} asks for a hypernetwork, which Limner does not use; leave it out.")
    name, *parts = (part.strip() for part in match["body"].replace("：", ":").split(":"))
    name = name.strip("\"'").removesuffix(".safetensors")
    if not name or len(name) > 64:
        raise InvalidRequest("prompt", f"The tag {written} names no LoRA; write <lora:name:0.8>.")
    named, placed = _named(parts, written)
    scales = [float(part) for part in placed if _NUMBER.fullmatch(part)]
    presets = [part for part in placed if not _NUMBER.fullmatch(part)]
    if "dyn" in named or len(scales) > 2:
        raise InvalidRequest(
            "prompt", f"{written} asks for a part of the LoRA's rank, which Limner cannot; use it whole."
        )
    if len(presets) > 1 or (presets and "lbw" in named):
        raise _Unclear(written)
    text, unet = _scales(scales, named, written)
    return LoraMention(
        name=name,
        scale=unet,
        text_encoder_scale=text,
        blocks=_blocks(named, presets, written),
        window=_window(named, written),
    )


def _named(parts: list[str], written: str) -> tuple[dict[str, str], list[str]]:
    """The values by their keys, and those without one."""
    named: dict[str, str] = {}
    placed = []
    for part in parts:
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals:
            placed.append(part)
            continue
        if key.casefold() not in _KEYS or key.casefold() in named:
            raise _Unclear(written)
        named[key.casefold()] = value
    return named, placed


def _scales(placed: list[float], named: Mapping[str, str], written: str) -> tuple[float | None, float | None]:
    """The scales of the text encoders and of the UNet: the second is the first's unless it is said, as elsewhere."""
    text = _number(named["te"], written) if "te" in named else placed[0] if placed else None
    unet = _number(named["unet"], written) if "unet" in named else placed[1] if len(placed) > 1 else None
    if unet is None:
        return None, text
    return (1.0 if text is None else text), unet


def _blocks(named: Mapping[str, str], presets: list[str], written: str) -> str | None:
    """Block weights as they were written, without spaces; those of sides stand alone, since they are scales."""
    sides = ":".join(f"{key}={named[key]}" for key in _BLOCK_KEYS if key in named)
    weights = named.get("lbw", next(iter(presets), None))
    if (sides and weights is not None) or (weights is not None and not _BLOCKS.fullmatch(weights)):
        raise _Unclear(written)
    return sides or (None if weights is None else weights.replace(" ", ""))


def _window(named: Mapping[str, str], written: str) -> StepWindow | None:
    if "step" in named:
        if not (match := _STEPS.fullmatch(named["step"])) or named.keys() & {"start", "stop"}:
            raise _Unclear(written)
        return StepWindow(start=float(match[1]), stop=float(match[2]))
    start, stop = (_number(named[key], written) if key in named else None for key in ("start", "stop"))
    return None if start is stop is None else StepWindow(start=start, stop=stop)


def _number(text: str, written: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise _Unclear(written)
    return float(text)


class _Unclear(InvalidRequest):
    def __init__(self, written: str) -> None:
        super().__init__("prompt", f"The tag {written} is unclear; write <lora:name:0.8>.")
