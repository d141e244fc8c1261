"""AUTOMATIC1111's `parameters`, which Forge, SD.Next, reForge and Civitai write too: the prompt, the negative prompt,
and one line of `key: value` pairs; a value with a comma is in JSON's quotes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from pipeline.images.programs.parameters import (
    MOST_LEFT,
    MOST_LORAS,
    MOST_TEXT,
    NamedLora,
    ProgramParameters,
    named,
    number,
    text,
    whole,
)
from pipeline.requests.decimal_text import decimal_text

_MOST_PAIRS: Final = 300
_MOST_VALUE: Final = 4000
_NEGATIVE: Final = "Negative prompt:"
_FIRST_PAIR: Final = re.compile(r"^Steps:\s*\d", re.MULTILINE)
_KEY: Final = re.compile(r"\s*([^\W\d_][\w \-/.+()]{0,60}?):[ \t]*")
_QUOTED: Final = re.compile(r'"(?:\\.|[^\\"]){0,4000}"')
_SIZE: Final = re.compile(r"\s*(\d{1,5})\s*[x×]\s*(\d{1,5})\s*", re.ASCII)
_TAG: Final = re.compile(r"<(?:lora|lyco|lycoris|locon):([^:<>\n]{1,128})([^<>\n]{0,200})>", re.IGNORECASE)
_HYPERNETWORK: Final = re.compile(r"<(hypernet(?:work)?:[^<>\n]{1,200})>", re.IGNORECASE)
_SPACES: Final = re.compile(r"[ \t]{2,1000}")
_HASH: Final = re.compile(r"\b[0-9a-fA-F]{8,64}\b")
# What says nothing of the image, or is read with something else.
_SILENT: Final = frozenset(
    {
        "version", "lora hashes", "ti hashes", "hashes", "civitai resources", "civitai metadata", "user",
        "created date",
        "batch size", "batch pos", "variation seed strength", "app", "backend", "operations", "model hash", "vae hash",
        "parser", "pipeline", "schedule max sigma", "emphasis", "dtype", "lora weights", "diffusion in low bits",
    }
)  # fmt: skip
_OPTIONS: Final = {
    "clip skip": "clip_skip",
    "variations": "variation",
    "rescale cfg": "guidance_rescale",
    "cfg rescale": "guidance_rescale",
    "guidance rescale": "guidance_rescale",
    "cfg rescale phi": "guidance_rescale",
    "guidance window": "guidance_window",
    "pag_scale": "pag",
}
_FREEU: Final = {f"freeu_{factor}": factor for factor in ("b1", "b2", "s1", "s2")}
_TAKEN: Final = frozenset(
    {
        "steps", "sampler", "schedule type", "scheduler", "cfg scale", "seed", "size", "model", "variation seed", "vae",
        "pag_enabled", "freeu_enabled", *_FREEU,
    }
)  # fmt: skip
_SAME_NOISE: Final = "cpu"


def read_infotext(written: str) -> ProgramParameters:
    """Read a text of AUTOMATIC1111's kind.

    Args:
        written: untrusted.

    Returns:
        What it says.
    """
    prompt, negative, settings = _parts(written[: 8 * MOST_TEXT])
    pairs = dict(_pairs(settings))
    lowered = {key.casefold(): value for key, value in pairs.items()}
    hashes = _hashes(lowered.get("lora hashes", "")) | _civitai_hashes(lowered.get("hashes", ""), "lora")
    prompt, loras = _without_tags(prompt, hashes)
    hypernetworks = tuple(_HYPERNETWORK.findall(prompt))[:MOST_LORAS]
    prompt = _joined(_HYPERNETWORK.sub(" ", prompt)) if hypernetworks else prompt
    size = _SIZE.fullmatch(lowered.get("size", ""))
    return ProgramParameters(
        program=_program(lowered),
        prompt=text(prompt),
        negative=text(_without_tags(negative, {})[0]),
        seed=whole(lowered.get("seed")),
        steps=whole(lowered.get("steps")),
        guidance=number(lowered.get("cfg scale")),
        sampler=text(lowered.get("sampler")),
        spacing=text(lowered.get("schedule type", lowered.get("scheduler"))),
        width=int(size[1]) if size else None,
        height=int(size[2]) if size else None,
        model=named(lowered.get("model")),
        model_hash=text(lowered.get("model hash"))[:64]
        or _civitai_hashes(lowered.get("hashes", ""), "").get("model", ""),
        loras=loras,
        inversions=tuple(
            NamedLora(name=named(name), hash=own)
            for name, own in list(
                (_hashes(lowered.get("ti hashes", "")) | _civitai_hashes(lowered.get("hashes", ""), "embed")).items()
            )[:MOST_LORAS]
        ),
        options=_options(lowered),
        left=(*hypernetworks, *_left(pairs))[:MOST_LEFT],
    )


def has_settings(written: str) -> bool:
    """Whether a text has the line that every image of AUTOMATIC1111 has.

    Args:
        written: untrusted.

    Returns:
        False for other words, such as a camera's.
    """
    return _FIRST_PAIR.search(written) is not None


def _parts(written: str) -> tuple[str, str, str]:
    """The prompt, the negative prompt, and the line of settings, which is the last that begins with the steps."""
    starts = [match.start() for match in _FIRST_PAIR.finditer(written)]
    words, settings = (written[: starts[-1]], written[starts[-1] :]) if starts else (written, "")
    line = settings.partition("\n")[0]
    prompt, _, negative = f"\n{words}".partition(f"\n{_NEGATIVE}")
    return prompt.strip(), negative.strip(), line


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """The pairs of a line, the first of each key; values are quoted, JSON, or end at a comma."""
    place = 0
    for _ in range(_MOST_PAIRS):
        if place >= len(line):
            return
        if (key := _KEY.match(line, place)) is None:
            place = _after_comma(line, place)
            continue
        value, end = _value(line, key.end())
        yield key[1].strip(), value
        place = _after_comma(line, end)


def _value(line: str, start: int) -> tuple[str, int]:
    if line[start : start + 1] in ("{", "["):
        try:
            _, end = json.JSONDecoder().raw_decode(line, start)
        except (ValueError, RecursionError):
            return "", start
        return line[start:end], end
    if quoted := _QUOTED.match(line, start):
        return _unquoted(quoted[0]), quoted.end()
    end = line.find(",", start)
    end = len(line) if end < 0 else end
    return line[start:end].strip()[:_MOST_VALUE], end


def _after_comma(line: str, place: int) -> int:
    comma = line.find(",", place)
    return len(line) if comma < 0 else comma + 1


def _unquoted(quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1]


def _without_tags(words: str, hashes: Mapping[str, str]) -> tuple[str, tuple[NamedLora, ...]]:
    found = tuple(
        NamedLora(name=named(match[1]), settings=text(match[2]), hash=hashes.get(match[1].strip(), ""))
        for match in _TAG.finditer(words)
    )
    return (_joined(_TAG.sub(" ", words)) if found else words), found[:MOST_LORAS]


def _joined(words: str) -> str:
    return "\n".join(_SPACES.sub(" ", line).strip() for line in words.splitlines())


def _hashes(written: str) -> dict[str, str]:
    """Hashes by name, as in "crayon: 0123456789ab, film: ba9876543210"."""
    pairs = (pair.rpartition(":") for pair in written.split(",")[:MOST_LORAS])
    return {name.strip(): own.strip() for name, _, own in pairs if name.strip() and _HASH.fullmatch(own.strip())}


def _civitai_hashes(written: str, kind: str) -> dict[str, str]:
    """Hashes of one kind by name, as in {"model": "…", "lora:crayon": "…", "embed:bad": "…"}."""
    try:
        value = json.loads(written) if written.startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    prefix = f"{kind}:" if kind else ""
    return {
        name.removeprefix(prefix): own
        for name, own in list(value.items())[:MOST_LORAS]
        if name.startswith(prefix) and isinstance(own, str) and _HASH.fullmatch(own)
    }


def _program(lowered: Mapping[str, str]) -> str:
    version = lowered.get("version", "")
    if version.startswith("limner"):
        return "Limner"
    if version.startswith(("f0", "f1", "f2", "forge", "neo")):
        return "Forge"
    if version.casefold() == "comfyui":
        return "ComfyUI"
    return "SD.Next" if "app" in lowered else "AUTOMATIC1111"


def _options(lowered: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    found = {name: text(lowered[key])[:40] for key, name in _OPTIONS.items() if lowered.get(key)}
    seed, strength = whole(lowered.get("variation seed")), number(lowered.get("variation seed strength"))
    if seed is not None and strength:
        found["variation"] = f"{seed}:{decimal_text(strength)}"
    if factors := [f"{name}={text(lowered[key])[:8]}" for key, name in _FREEU.items() if lowered.get(key)]:
        found["freeu"] = " ".join(factors)
    if vae := named(lowered.get("vae")).removesuffix(".vae"):
        found["vae"] = vae
    return tuple(found.items())


def _left(pairs: Mapping[str, str]) -> tuple[str, ...]:
    """What is read as nothing of ours, in words."""
    known = _SILENT | _TAKEN | _OPTIONS.keys()
    left = [
        text(" ".join(f"{key} {value[:60]}".split()))
        for key, value in pairs.items()
        if key.casefold() not in known and not (key.casefold() == "rng" and value.casefold() == _SAME_NOISE)
    ]
    return tuple(left[:MOST_LEFT])
