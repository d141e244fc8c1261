"""What Discord shows in other languages, held to Discord's own limits."""

import re
import unicodedata
from itertools import pairwise
from typing import Any

import discord
import pytest

from bot.discord.translations import LOCALES, Translations, catalogue
from handlers.commands.groups import heads
from handlers.registry import COMMANDS
from pipeline.lora.format.layout import LoraLayout
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.requests.aspect_ratio import ASPECTS
from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing
from storage.guilds.source_credentials import KeySource
from tests.bot.discord.conftest import World, published

_WORD = re.compile(r"[-_\w]{1,32}")
_PROPER = {
    *ASPECTS,
    *(scheduler.value for scheduler in Scheduler),
    *(spacing.value for spacing in Spacing),
    *(source.value for source in KeySource),
    *LoraLayout,
    *ScaleRule,
}
"""Choices that are called the same everywhere."""


@pytest.mark.parametrize("locale", LOCALES)
async def test_every_command_and_option_speaks_the_language(world: World, locale: discord.Locale) -> None:
    """Whatever is published: a command that is added without its words fails here."""
    parts = [part for payload in published(world) for part in _parts(payload)]
    choices = [choice for part in parts for choice in part.get("choices", ()) if choice["name"] not in _PROPER]

    assert [p["name"] for p in (*parts, *choices) if locale.value not in p.get("name_localizations", {})] == []
    described = [part for part in parts if part.get("description")]
    assert [p["description"] for p in described if locale.value not in p.get("description_localizations", {})] == []


async def test_every_payload_keeps_within_discords_limits(world: World) -> None:
    """Lengths, lowercase, no name twice in one place, 8000 characters a command in its longest language."""
    for payload in published(world):
        if payload["type"] != discord.AppCommandType.chat_input.value:
            continue
        parts = _parts(payload)
        for part in parts:
            for text in (part["name"], *part.get("name_localizations", {}).values()):
                assert _WORD.fullmatch(text), text
                assert text == text.lower() == unicodedata.normalize("NFC", text), text
            for text in (part["description"], *part.get("description_localizations", {}).values()):
                assert 1 <= len(text) <= 100, text
        for locale in (locale.value for locale in LOCALES):
            for part in parts:
                options = part.get("options", ())
                names = sorted(option.get("name_localizations", {}).get(locale, option["name"]) for option in options)
                assert all(one != other for one, other in pairwise(names)), (locale, names)
        assert sum(_longest(part) for part in parts) <= 8000


async def test_latin_american_spanish_is_spanish_and_what_is_unknown_stays_english() -> None:
    """A locale without a catalogue of its own, a word that no catalogue has."""
    translate = Translations().translate
    word, foreign = discord.app_commands.locale_str("queue"), discord.app_commands.locale_str("no such word")

    assert await translate(word, discord.Locale.latin_american_spanish, None) == "cola"  # type: ignore[arg-type] # unused
    assert await translate(word, discord.Locale.polish, None) is None  # type: ignore[arg-type] # as above
    assert await translate(foreign, discord.Locale.german, None) is None  # type: ignore[arg-type] # as above


@pytest.mark.parametrize("locale", LOCALES)
def test_no_two_commands_share_a_name_in_any_language(locale: discord.Locale) -> None:
    """A member could not tell them apart."""
    words = catalogue(locale)
    names = [words[head.name] for head in heads(COMMANDS) if head.name in words]

    assert len(names) == len(set(names))


async def test_a_catalogue_holds_nothing_that_is_shown_no_more(world: World) -> None:
    """A sentence that was changed leaves its translations behind, and nobody would see that they are old."""
    parts = [part for payload in published(world) for part in _parts(payload)]
    shown = {part[field] for part in parts for field in ("name", "description") if field in part}
    shown |= {choice["name"] for part in parts for choice in part.get("choices", ())}
    shown |= {name for text in shown for name in text.split(", ")}

    assert {locale.value: catalogue(locale).keys() - shown for locale in LOCALES} == {
        locale.value: set() for locale in LOCALES
    }


def _parts(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """A command, its actions and all their options."""
    return [payload, *(deeper for part in payload.get("options", ()) for deeper in _parts(part))]


def _longest(part: dict[str, Any]) -> int:
    """The characters of a part's words and of its choices, each in the language in which it is longest."""
    choices = part.get("choices", ())
    words = sum(len(str(choice["value"])) + _in_longest(choice, "name") for choice in choices)
    return words + sum(_in_longest(part, field) for field in ("name", "description"))


def _in_longest(part: dict[str, Any], field: str) -> int:
    translated = part.get(f"{field}_localizations", {}).values()
    return max(len(text) for text in (str(part[field]), *translated))
