"""What Discord shows of the commands in members' own languages; what stands in no row keeps its English words."""

from typing import Final

import discord
from discord import Locale, app_commands

from bot.discord.translated_names import NAMES
from bot.discord.translated_sentences import SENTENCES

LOCALES: Final = (
    Locale.german,
    Locale.french,
    Locale.spain_spanish,
    Locale.japanese,
    Locale.brazil_portuguese,
)
"""The languages of a row, in its order."""

_MAX_DESCRIPTION: Final = 100


class Translations(app_commands.Translator):
    """Looks words up; payloads keep the English ones, so nothing else knows of languages."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,  # noqa: ARG002 - discord.py's signature
    ) -> str | None:
        """The words in that language, or None for the English ones."""
        if locale is Locale.latin_american_spanish:
            locale = Locale.spain_spanish
        return _words(string.message, LOCALES.index(locale)) if locale in LOCALES else None


def _words(english: str, index: int) -> str | None:
    """The words of the language at `index`; a family is described by the names of its actions."""
    row = NAMES.get(english) or SENTENCES.get(english)
    if row is not None:
        return row[index]
    rows = [NAMES.get(name) for name in english.split(", ")]
    names = [row[index] for row in rows if row is not None]
    return ", ".join(names)[:_MAX_DESCRIPTION] if len(names) == len(rows) else None
