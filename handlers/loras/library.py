"""/lora list, info, rename, scale, share and remove: what a guild's library holds, and what its owners decide."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.forms import call_button
from handlers.commands.option import Completion, Details
from handlers.commands.options import Options
from handlers.commands.permissions import NotAllowed
from handlers.messages.message import Message
from handlers.prompts.loras import check_scales, named_lora
from pipeline.errors import UserError
from pipeline.requests.image_request import MAX_LORA_SCALE, LoraUse
from storage.library.loras import Lora

_PAGE: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions(Options):
    """What is listed."""

    search: Annotated[str | None, Details("Part of a name", rest=True)] = None
    page: Annotated[int | None, Details("Which page", low=1, high=10_000)] = None


_LoraName = Annotated[str, Details("Which LoRA", completion=Completion.LORAS, rest=True)]
Whose = Annotated[Literal["guild", "private"], Details("Whose it is")]
Confirm = Annotated[bool | None, Details("Remove it without asking again")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _InfoOptions(Options):
    name: _LoraName


@dataclass(frozen=True, slots=True, kw_only=True)
class _RenameOptions(Options):
    name: _LoraName
    to: Annotated[str, Details("Its new name")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ScaleOptions(Options):
    name: _LoraName
    scale: Annotated[
        float, Details("1 is as trained, below 0 is the opposite", low=-MAX_LORA_SCALE, high=MAX_LORA_SCALE)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ShareOptions(Options):
    name: _LoraName
    whose: Whose


@dataclass(frozen=True, slots=True, kw_only=True)
class _RemoveOptions(Options):
    name: _LoraName
    confirm: Confirm = None


async def list_loras(caller: Caller, options: ListOptions, context: AppContext, *, subjects: bool = False) -> Message:
    """What the caller can use, by name, a page at a time; on wish `subjects` alone."""
    search, page = (options.search or "").strip(), options.page or 1
    found = await context.loras.search(
        caller.guild.id, caller.member.id, search, limit=_PAGE + 1, offset=(page - 1) * _PAGE, subjects=subjects
    )
    kind, teach = ("subject", "/train subject teaches") if subjects else ("LoRA", "/lora add adds")
    if not found:
        words = f"No {kind} here is called '{search:.64}'." if search else f"There is no {kind} here; {teach} one."
        return Message(headline=words, private=True)
    turns = [
        (number, label)
        for number, label, there in ((page - 1, "Back", page > 1), (page + 1, "More", len(found) > _PAGE))
        if there
    ]
    buttons = [
        await call_button(caller, context, f"{kind.lower()} list", ListOptions(search=search, page=number), label)
        for number, label in turns
    ]
    return Message(
        headline=f"{kind[0].upper()}{kind[1:]}s that you can use here",
        lines=tuple(_line(lora) for lora in found[:_PAGE]),
        buttons=(tuple(buttons),) if buttons else (),
        private=True,
    )


async def lora_info(caller: Caller, options: _InfoOptions, context: AppContext) -> Message:
    """The card of one LoRA."""
    return card(await named_lora(options.name, caller, context), private=True)


async def rename_lora(caller: Caller, options: _RenameOptions, context: AppContext) -> Message:
    """Give a LoRA another name."""
    lora, new_name = await own_lora(options.name, caller, context), options.to.strip().lower()
    return _answer(await context.loras.rename(lora, new_name), f"'{lora.name}' is called '{new_name}' now.")


async def scale_lora(caller: Caller, options: _ScaleOptions, context: AppContext) -> Message:
    """Set how strongly a LoRA is used where nobody says."""
    lora = await own_lora(options.name, caller, context)
    check_scales([LoraUse(key=lora.key, name=lora.name, scale=options.scale)], lora.base_family, caller.guild.settings)
    words = f"'{lora.name}' is used at {options.scale:g} unless one says else."
    return _answer(await context.loras.set_scale(lora, options.scale), words)


async def _share_lora(caller: Caller, options: _ShareOptions, context: AppContext) -> Message:
    return await share(await own_lora(options.name, caller, context), context, private=options.whose == "private")


async def share(lora: Lora, context: AppContext, *, private: bool) -> Message:
    """Give a LoRA to the whole guild, or keep it for its owner."""
    whose = "its owner's alone" if private else "for everyone here"
    return _answer(await context.loras.set_private(lora, private), f"'{lora.name}' is {whose} now.")


async def remove_lora(caller: Caller, options: _RemoveOptions, context: AppContext) -> Message:
    """Take a LoRA out of the library, once confirmed; its file goes when no open job needs it."""
    lora = await own_lora(options.name, caller, context)
    if not options.confirm:
        button = await call_button(
            caller, context, "lora remove", _RemoveOptions(name=lora.name, confirm=True), "Remove it"
        )
        return Message(headline=f"Remove the LoRA '{lora.name}' for good?", buttons=((button,),), private=True)
    return _answer(await context.loras.remove(lora), f"'{lora.name}' is removed.")


def card(lora: Lora, *, private: bool = False) -> Message:
    """All that is known of a LoRA."""
    mark = f"@{lora.name}" if lora.subject else f"<lora:{lora.name}:{lora.scale:g}>"
    facts = (
        f"Use it as --lora {lora.name}:{lora.scale:g} or {mark}",
        f"Trigger words: {lora.trigger_words or 'none known'}",
        *lora.metadata.splitlines(),
        f"{lora.size / 2**20:.1f} MB here · {'private' if lora.private else 'for everyone here'}",
    )
    return Message(headline=f"LoRA '{lora.name}'", lines=facts, private=private)


async def own_lora(name: str, caller: Caller, context: AppContext) -> Lora:
    """The LoRA called `name`, which the caller may change; raises NotAllowed."""
    lora = await named_lora(name, caller, context)
    if not (caller.member.is_admin or lora.owner_id == caller.member.id):
        raise NotAllowed(f"'{lora.name}' is another member's; only they or an admin can change it.")
    return lora


def _answer(done: bool, words: str) -> Message:
    if not done:
        raise UserError("This LoRA was removed meanwhile; /lora list shows those that there are.")
    return Message(headline=words, private=True)


def _line(lora: Lora) -> str:
    words = f" · {lora.trigger_words:.60}" if lora.trigger_words else ""
    return f"{lora.name}:{lora.scale:g}{' · private' if lora.private else ''}{words}"


COMMANDS: Final = (
    Command(
        name="lora list",
        help="The LoRAs that you can use",
        example="/lora list crayon",
        takes=ListOptions,
        handler=list_loras,
        private=True,
    ),
    Command(
        name="lora info",
        help="All that is known of a LoRA",
        example="/lora info crayon",
        takes=_InfoOptions,
        handler=lora_info,
        private=True,
    ),
    Command(
        name="lora rename",
        help="Call a LoRA something else",
        example="/lora rename crayon --to pastel",
        takes=_RenameOptions,
        handler=rename_lora,
        private=True,
    ),
    Command(
        name="lora scale",
        help="How strongly a LoRA is used unless one says",
        example="/lora scale crayon --scale 0.8",
        takes=_ScaleOptions,
        handler=scale_lora,
        private=True,
    ),
    Command(
        name="lora share",
        help="Give a LoRA to everyone here, or keep it",
        example="/lora share crayon --whose guild",
        takes=_ShareOptions,
        handler=_share_lora,
        private=True,
    ),
    Command(
        name="lora remove",
        help="Remove a LoRA",
        example="/lora remove crayon",
        takes=_RemoveOptions,
        handler=remove_lora,
        private=True,
    ),
)
