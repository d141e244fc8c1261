"""Translations of the commands into members' languages; what a catalogue lacks stays English."""

from functools import cache
from pathlib import Path
from typing import Final

import discord
from babel.messages.pofile import read_po
from discord import Locale, app_commands

_CATALOGUES: Final = Path(__file__).parent / "locale"
LOCALES: Final = tuple(Locale(path.stem) for path in sorted(_CATALOGUES.glob("*.po")))
"""The languages that have a catalogue, which is named as Discord names the language."""

_MAX_DESCRIPTION: Final = 100


class Translations(app_commands.Translator):
    """Looks up words; payloads carry the English ones, so no other module knows of languages."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,  # noqa: ARG002 - discord.py's signature
    ) -> str | None:
        """The words in that language, or None for the English ones."""
        if locale is Locale.latin_american_spanish:
            locale = Locale.spain_spanish
        return _words(string.message, catalogue(locale)) if locale in LOCALES else None


@cache
def catalogue(locale: Locale) -> dict[str, str]:
    """The words of one of LOCALES by the English ones."""
    with (_CATALOGUES / f"{locale.value}.po").open("rb") as file:
        messages = read_po(file, abort_invalid=True)
    return {str(message.id): str(message.string) for message in messages if message.id and message.string}


def _words(english: str, words: dict[str, str]) -> str | None:
    """The words for `english`; a group is described by the names of its actions."""
    if english in words:
        return words[english]
    names = [words[name] for name in english.split(", ") if name in words]
    return ", ".join(names)[:_MAX_DESCRIPTION] if len(names) == english.count(", ") + 1 else None
