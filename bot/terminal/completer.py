"""Completion in the terminal: commands, then flags, then the values of an option."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Final

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from handlers.commands.call import Member
from handlers.commands.command import Command
from handlers.commands.completion import Suggestion, complete
from handlers.commands.context import AppContext
from handlers.commands.groups import heads, split_call
from handlers.commands.option import Completion as Source
from handlers.commands.option import Option, OptionKind
from handlers.commands.typed import is_typed
from storage.guilds.guilds import Guild

_MENTIONS: Final = (("@", Source.SUBJECTS, ""), ("<lora:", Source.LORAS, ">"))


@dataclass(slots=True, kw_only=True)
class CommandCompleter(Completer):
    """Completes a line of `/command words --flag value`."""

    guild: Guild
    member: Member
    context: AppContext

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> list[Completion]:  # noqa: ARG002
        """Nothing: the stores are asynchronous."""
        return []

    async def get_completions_async(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 - part of prompt_toolkit's signature
    ) -> AsyncGenerator[Completion, None]:
        """Suggestions for the word under the cursor."""
        line = document.text_before_cursor
        word = document.get_word_before_cursor(WORD=True)
        for suggestion in await self.suggestions(line, word):
            yield Completion(suggestion.value, start_position=-len(word), display_meta=suggestion.help)

    async def suggestions(self, line: str, word: str) -> tuple[Suggestion, ...]:
        """What may replace `word`, the last of `line`."""
        if not is_typed(line):
            return ()
        before = line.removesuffix(word).strip()
        if not before:
            return _starting(word, [Suggestion(value=f"/{c.name}", help=c.help) for c in heads(self.context.commands)])
        found = split_call(before, self.context.commands) if before.startswith("/") else None
        if found is None:
            return ()
        command, rest = found
        if command.actions:
            return _starting(word, [Suggestion(value=str(c.action), help=c.help) for c in command.actions])
        if word.startswith("--"):
            return _starting(word, _flags(command))
        if command.rest is not None and (mentioned := await self._mentioned(word)):
            return mentioned
        return await self._values(command, rest, word)

    async def _mentioned(self, word: str) -> tuple[Suggestion, ...]:
        """What a prompt can name in the guild: `@rex`, `<lora:crayon:0.8>`."""
        for sign, source, end in _MENTIONS:
            if word.startswith(sign):
                typed = word.removeprefix(sign)
                found = await complete(source, typed, guild=self.guild, member=self.member, context=self.context)
                return tuple(replace(item, value=f"{sign}{item.value}{end}") for item in found)
        return ()

    async def _values(self, command: Command, before: str, word: str) -> tuple[Suggestion, ...]:
        option = _option_before(command, before.split())
        if option is None:
            return ()
        if option.completion is not None:
            return await complete(option.completion, word, guild=self.guild, member=self.member, context=self.context)
        if option.kind is OptionKind.FILE:
            return await asyncio.to_thread(_paths, word, option)
        return _starting(word, [Suggestion(value=choice, help=option.help) for choice in option.choices])


def _option_before(command: Command, words: list[str]) -> Option | None:
    """The option whose value is being typed: the last flag's, or the command's free text."""
    if not words:
        return command.rest
    if not words[-1].startswith("--"):
        return None
    flag = words[-1].removeprefix("--")
    return next((option for option in command.options if flag in option.flags), None)


def _flags(command: Command) -> list[Suggestion]:
    return [Suggestion(value=f"--{option.name}", help=option.help) for option in command.options if not option.rest]


def _paths(word: str, option: Option) -> tuple[Suggestion, ...]:
    """The files and folders of this machine whose paths begin with `word`."""
    found = PathCompleter(expanduser=True).get_completions(Document(word), CompleteEvent())
    return tuple(Suggestion(value=word + ending.text, help=option.help) for ending in found)


def _starting(word: str, suggestions: list[Suggestion]) -> tuple[Suggestion, ...]:
    return tuple(item for item in suggestions if item.value.casefold().startswith(word.casefold()))
