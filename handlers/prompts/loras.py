"""From what a member wrote to the guild's own LoRAs: `--lora crayon:0.8`, `<lora:crayon:0.8>`."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.prompts.schedules import refuse_parts
from handlers.prompts.syntax import expand, read_subjects, refuse_subjects, with_words
from handlers.prompts.tags import NUMBER, LoraMention, read_loras, refuse_loras
from pipeline.errors import InvalidRequest, check_range
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.lora.format.block_scales import scales_of
from pipeline.requests.image_request import MAX_LORAS, ImageRequest, LoraUse
from pipeline.text.prompt_length import check_texts
from pipeline.text.prompt_schedule import read_schedule
from storage.guilds.guilds import GuildSettings
from storage.library.loras import Lora

_MENTION: Final = re.compile(rf"([^\s:,<>=]{{1,64}})(?::({NUMBER}))?(?::({NUMBER}))?", re.ASCII)


def read_mentions(text: str) -> tuple[LoraMention, ...]:
    """What an option's text such as "crayon:0.8 film" names, separated by spaces or commas.

    A second number is the text encoders' own scale. Tags may stand there as in a prompt. Raises InvalidRequest.
    """
    text, tagged = read_loras(text)
    matches = [_MENTION.fullmatch(word) for word in text.replace(",", " ").split()]
    if not all(matches):
        raise InvalidRequest("lora", f"lora '{text[:60]}' is unclear; write name:scale, such as crayon:0.8.")
    return tagged + tuple(
        LoraMention(name=match[1], scale=_number(match[2]), text_encoder_scale=_number(match[3]))
        for match in matches
        if match
    )


async def for_each_prompt(
    request: ImageRequest, lora: str, family: ModelFamily, caller: Caller, context: AppContext, *, triggers: bool
) -> list[ImageRequest]:
    """`request` for each prompt that its own stands for, with the LoRAs that the prompt and the option `lora` name.

    With `triggers`, their trigger words are added to a prompt that has none of them. Raises InvalidRequest, also for a
    LoRA that the guild does not have or that was not made for the model's `family`.
    """
    prompts = expand(request.prompt)
    for prompt in prompts:
        check_texts(replace(request, prompt=prompt))
        refuse_parts(prompt, request.steps_made)
    refuse_loras(request.negative_prompt)
    refuse_subjects(request.negative_prompt)
    return [
        await _with_loras(replace(request, prompt=prompt), lora, family, caller, context, triggers=triggers)
        for prompt in prompts
    ]


async def _with_loras(
    request: ImageRequest, option: str, family: ModelFamily, caller: Caller, context: AppContext, *, triggers: bool
) -> ImageRequest:
    """The request with the LoRAs that its prompt and the option name, and a prompt without their marks."""
    prompt, _ = read_loras(request.prompt)
    # One text's tags: `[a <lora:x>|b <lora:x>]` names x once at each step.
    _, in_prompt = read_loras(read_schedule(request.prompt).at(0, request.steps_made))
    subjects = read_subjects(prompt)
    mentions = (*read_mentions(option), *in_prompt, *subjects)
    if not mentions:
        return request
    check_range("number of LoRAs", len(mentions), 0, MAX_LORAS)
    found = [await find_lora(mention.name, caller, context) for mention in mentions]
    for lora in found:
        if lora.base_family is not family:
            raise InvalidRequest(
                "lora",
                f"LoRA '{lora.name}' was made for {FAMILIES[lora.base_family].name} and {request.model} is "
                f"{FAMILIES[family].name}; choose another LoRA or another model.",
            )
    words = {lora.name: lora.trigger_words or lora.name for lora in found}
    prompt = with_words(prompt, words)
    if triggers:
        prompt = with_triggers(prompt, found, beside=request.negative_prompt)
    uses = tuple(use_of(mention, lora) for mention, lora in zip(mentions, found, strict=True))
    return replace(request, prompt=prompt, loras=uses)


def with_triggers(prompt: str, loras: Sequence[Lora], beside: str = "") -> str:
    """The prompt with the trigger words of each LoRA of which neither it nor `beside`, the negative one, has any."""
    written = f"{prompt}\n{beside}".casefold()
    for lora in {lora.key: lora for lora in loras}.values():  # each once, however often it is used
        words = [word.strip() for word in lora.trigger_words.split(",") if word.strip()]
        if not any(word.casefold() in written for word in words):
            prompt = ", ".join((prompt, *words))
    return prompt


async def find_lora(name: str, caller: Caller, context: AppContext) -> Lora:
    """The LoRA that the caller means by `name`; raises InvalidRequest with the nearest name."""
    lora = await context.loras.get(caller.guild.id, caller.member.id, name)
    if lora is not None:
        return lora
    names = [lora.name for lora in await context.loras.search(caller.guild.id, caller.member.id, limit=_MOST_COMPARED)]
    near = difflib.get_close_matches(name.casefold(), names, n=1)
    advice = f"did you mean '{near[0]}'?" if near else "/lora list shows those that it has."
    raise InvalidRequest("lora", f"This server has no LoRA '{name:.64}'; {advice}")


_MOST_COMPARED: Final = 500


def use_of(mention: LoraMention, lora: Lora) -> LoraUse:
    """What `mention` asks of the LoRA that it names; raises InvalidRequest for what its base's blocks cannot have."""
    use = LoraUse(
        key=lora.key,
        name=lora.name,
        scale=lora.scale if mention.scale is None else mention.scale,
        text_encoder_scale=mention.text_encoder_scale,
        blocks=mention.blocks,
        window=mention.window,
        hash=lora.short_hash,
    )
    scales_of(use, lora.base_family)
    return use


def check_scales(uses: Iterable[LoraUse], family: ModelFamily, settings: GuildSettings) -> None:
    """Raise InvalidRequest for a LoRA that any block weight or scale takes beyond what the guild allows."""
    most = settings.max_lora_scale
    for use in uses:
        if abs(largest := scales_of(use, family).largest) > most:
            raise InvalidRequest("lora", f"LoRA scale of '{use.name}' is {largest:g}; use {-most:g} to {most:g}.")


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


async def named_lora(text: str, caller: Caller, context: AppContext) -> Lora:
    """The LoRA that `text` names, with or without a scale; raises InvalidRequest with the nearest name."""
    return await find_lora(text.partition(":")[0].strip(), caller, context)
