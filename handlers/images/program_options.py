"""From what another program says of an image to the options of /imagine, and what of it could not be taken over."""

import asyncio
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from handlers.commands.arguments import read_value
from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.images.new_request import read_variations
from handlers.images.options import ImagineOptions
from handlers.prompts.syntax import subject_names, with_words
from handlers.prompts.tags import read_loras
from pipeline.errors import InvalidRequest
from pipeline.families.freeu import USUAL_FREEU
from pipeline.images.programs.parameters import NamedLora, ProgramParameters
from pipeline.models.metadata import ModelFacts
from pipeline.requests.freeu import FreeU
from pipeline.requests.image_request import (
    MAX_GUIDANCE_SCALE,
    MAX_LORAS,
    MAX_PROMPT_LENGTH,
    MAX_SEED,
    MAX_SIZE,
    MAX_STEPS,
    MIN_SIZE,
    Scheduler,
)
from pipeline.requests.sampler_names import spacing_of, split_name
from pipeline.requests.spacing import Spacing
from pipeline.requests.step_window import StepWindow
from storage.library.loras import Lora

_MOST_COMPARED: Final = 500
_MOST_LEFT: Final = 12
_UNFIT: Final = re.compile(r"[^a-z0-9]+")
_JOINING: Final = re.compile(r"\b(?:BREAK|AND)\b")
_LEAST_DIGITS: Final = 8
"""Of a model's hash: fewer may begin any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """The options that ask for an image like another program's, and sentences on what they leave out."""

    options: ImagineOptions
    notes: tuple[str, ...]


async def taken_over(said: ProgramParameters, caller: Caller | None, context: AppContext) -> TakenOver:
    """What /imagine can take of an image's parameters; without a caller no library is looked into."""
    notes: list[str] = []
    model = await _model(said, context, notes)
    values: dict[str, Any] = {
        "prompt": _words(said.prompt, "prompt", notes),
        "negative": _words(said.negative, "negative prompt", notes) or None,
        "seed": _within("seed", said.seed, 0, MAX_SEED, notes),
        "steps": _within("steps", said.steps, 1, MAX_STEPS, notes),
        "guidance": _within("guidance", said.guidance, 0, MAX_GUIDANCE_SCALE, notes),
        "width": _side("width", said.width, notes),
        "height": _side("height", said.height, notes),
        **_sampler(said, notes),
        "model": None if model is None else model.name,
        "lora": await _loras(said, caller, context, notes) or None,
        **_more(said, model or _usual_model(caller, context), context, notes),
    }
    if _JOINING.search(f"{said.prompt} {said.negative}"):
        notes.append("BREAK and AND in its prompt are read as words.")
    if said.left:
        shown = ", ".join(said.left[:_MOST_LEFT])
        more = f" and {len(said.left) - _MOST_LEFT} more" if len(said.left) > _MOST_LEFT else ""
        notes.append(f"Not taken over: {shown}{more}.")
    return TakenOver(options=ImagineOptions(**values), notes=tuple(notes))


def _words(words: str, what: str, notes: list[str]) -> str:
    """As long as a prompt may be, and without the marks that only Limner reads."""
    if names := subject_names(words):
        words = with_words(words, {name: name for name in names})
        notes.append(f"The {what}'s @{min(names)} is read as a word, since @ names a subject here.")
    if len(words) > MAX_PROMPT_LENGTH:
        notes.append(f"The {what} has {len(words)} characters; the first {MAX_PROMPT_LENGTH} were taken.")
    return words[:MAX_PROMPT_LENGTH]


def _within(name: str, value: float | None, low: float, high: float, notes: list[str]) -> float | None:
    if value is None or low <= value <= high:
        return value
    notes.append(f"{name.capitalize()} {value} was left out; Limner takes {low} to {high:,.10g}.")
    return None


def _side(name: str, value: int | None, notes: list[str]) -> int | None:
    """A multiple of 8 within the limits."""
    if value is None:
        return None
    side = max(MIN_SIZE, min(MAX_SIZE, round(value / 8) * 8))
    if side != value:
        notes.append(f"Its {name} is {value}; {side} was taken.")
    return side


def _sampler(said: ProgramParameters, notes: list[str]) -> dict[str, Any]:
    """The sampler, and the spacing, which some programs write behind its name."""
    named = split_name(said.sampler)
    if said.sampler and named is None:
        notes.append(f"The sampler {said.sampler:.60} is not here; the model's own is used.")
    spacing = spacing_of(said.spacing)
    if said.spacing and spacing is None:
        notes.append(f"The spacing {said.spacing:.60} is not here; the model's own is used.")
    kind, behind = named or (None, None)
    spacing = spacing or behind
    return {"scheduler": kind and Scheduler(kind), "spacing": spacing and Spacing(spacing)}


async def _model(said: ProgramParameters, context: AppContext, notes: list[str]) -> ModelFacts | None:
    """The served model that has the file's hash, or its name."""
    if not said.model and not said.model_hash:
        return None
    digest = said.model_hash.casefold()
    for facts in context.models:
        if len(digest) >= _LEAST_DIGITS and (
            digest == facts.hash or (await model_hash(facts, context)).startswith(digest[:10])
        ):
            return facts
    wanted = _plain(said.model)
    if (found := next((facts for facts in context.models if wanted and wanted in _names(facts)), None)) is not None:
        return found
    words = said.model or f"with the hash {said.model_hash}"
    notes.append(f"The model {words:.80} is not served here; another one draws it, so it will look different.")
    return None


async def model_hash(facts: ModelFacts, context: AppContext) -> str:
    """What other programs know a model by: its file's hash, or for a folder our own."""
    if facts.file is None:
        return facts.hash
    try:
        return await asyncio.to_thread(context.file_hashes.short, facts.file)
    except OSError:
        return facts.hash


def _names(facts: ModelFacts) -> set[str]:
    return {_plain(facts.name), _plain(facts.name.rpartition("/")[2])}


def _plain(name: str) -> str:
    return _UNFIT.sub("-", name.casefold()).strip("-")


async def _loras(said: ProgramParameters, caller: Caller | None, context: AppContext, notes: list[str]) -> str:
    """The option that names those that the guild's library has, by their files' hashes, or by name."""
    wanted = (*said.loras, *said.inversions)
    if not wanted:
        return ""
    library: tuple[Lora, ...] = ()
    if caller is not None:
        library = await context.loras.search(caller.guild.id, caller.member.id, limit=_MOST_COMPARED)
    tags = []
    for each in wanted:
        kind = "textual inversion" if each in said.inversions else "LoRA"
        if (lora := found_lora(each.name, each.hash, library)) is None:
            notes.append(f"The {kind} {each.name:.60} is not in this library; /lora add brings it in.")
        elif (tag := _tag(each, lora)) is None:
            notes.append(f"What {each.name:.60} is scaled by, '{each.settings:.40}', was not taken over.")
        else:
            tags.append(tag)
    if len(tags) > MAX_LORAS:
        notes.append(f"It has {len(tags)} LoRAs; the first {MAX_LORAS} were taken.")
    return " ".join(tags[:MAX_LORAS])


def found_lora(name: str, digest: str, library: Iterable[Lora]) -> Lora | None:
    """The LoRA of a library that was imported from the file with that hash, else the one of that name."""
    known = tuple(library)
    by_hash = next((lora for lora in known if lora.is_file(digest)), None)
    return by_hash or next((lora for lora in known if lora.name == _plain(name)[:32].strip("-")), None)


def _tag(wanted: NamedLora, lora: Lora) -> str | None:
    """As a member would write it; None for settings that no tag of ours has."""
    tag = f"<lora:{lora.name}{wanted.settings}>"
    try:
        read_loras(tag)
    except InvalidRequest:
        return None
    return tag


def _usual_model(caller: Caller | None, context: AppContext) -> ModelFacts:
    return context.model(None if caller is None else caller.guild.settings.default_model)


def _more(said: ProgramParameters, facts: ModelFacts, context: AppContext, notes: list[str]) -> dict[str, Any]:
    """Values that have an option of their own, by the name of its field, where they are right for the model."""
    options = {option.name.replace("-", "_"): option for option in ImagineOptions.described()}
    checks: dict[str, Callable[[str], object]] = {
        "variation": read_variations,
        "guidance_window": lambda value: StepWindow.parse(value, "guidance-window"),
        "freeu": lambda value: FreeU.parse(value, FreeU(**USUAL_FREEU[facts.family])),
        "vae": lambda value: context.vaes.file(value, facts.family, facts.name),
    }
    taken: dict[str, Any] = {}
    for name, value in said.options:
        with suppress(InvalidRequest):
            if name in checks:
                checks[name](value)
            if name in options:
                taken[name] = read_value(options[name], value)
        if name not in taken:
            notes.append(f"Its {name.replace('_', ' ')} of {value:.20} was not taken over.")
    return taken
