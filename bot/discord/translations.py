"""Names in members' own languages; what stands in no table keeps its English name."""

from typing import Final

import discord
from discord import Locale, app_commands

NAMES: Final[dict[Locale, dict[str, str]]] = {
    Locale.german: {
        "imagine": "bild", "queue": "warteschlange", "cancel": "abbrechen", "history": "verlauf", "help": "hilfe",
        "settings": "einstellungen", "privacy": "datenschutz", "prompt": "beschreibung", "negative": "ohne",
        "aspect": "format", "count": "anzahl", "steps": "schritte", "private": "privat", "advanced": "mehr",
        "Picture info": "Bildinfo",
    },
    Locale.french: {
        "imagine": "imaginer", "queue": "file", "cancel": "annuler", "history": "historique", "help": "aide",
        "settings": "réglages", "privacy": "confidentialité", "prompt": "description", "negative": "sans",
        "aspect": "format", "count": "nombre", "steps": "étapes", "private": "privé", "advanced": "avancé",
        "Picture info": "Infos sur l’image",
    },
    Locale.spain_spanish: {
        "imagine": "imaginar", "queue": "cola", "cancel": "cancelar", "history": "historial", "help": "ayuda",
        "settings": "ajustes", "privacy": "privacidad", "prompt": "descripción", "negative": "sin",
        "aspect": "formato", "count": "cantidad", "steps": "pasos", "private": "privado", "advanced": "avanzado",
        "Picture info": "Datos de la imagen",
    },
}  # fmt: skip


class Translations(app_commands.Translator):
    """Looks names up; payloads keep the English ones, so nothing else knows of languages."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,  # noqa: ARG002 - discord.py's signature
    ) -> str | None:
        """The name in that language, or None for the English one."""
        return NAMES.get(locale, {}).get(string.message)
